package domains_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/api/domains"
	"renga/api/wire/wiretest"
)

func TestDomains(t *testing.T) {
	wide := strings.Repeat("a", 63) + "."
	added := func(name, host string) scenario {
		return scenario{
			Name: name, Method: "POST", URL: "/apps/hello/domains",
			Body:   `{"hostname":"` + host + `","sni_endpoint":null}`,
			Status: 201, Has: []string{`"hostname":"` + host + `"`},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				wantDomains(t, fixture, host, "www.example.com")
			},
		}
	}
	refused := func(name, host, why string) scenario {
		return scenario{
			Name: name, Method: "POST", URL: "/apps/hello/domains",
			Body:   `{"hostname":"` + host + `","sni_endpoint":null}`,
			Status: 422, Has: []string{"invalid_params", why},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) { wantDomains(t, fixture, "www.example.com") },
		}
	}
	run(t, []scenario{
		{
			Name: "the list has the default domain and the custom ones", URL: "/apps/hello/domains",
			Has: []string{
				`"hostname":"hello.renga.localhost","id":"`, `"kind":"heroku"`, `"cname":null`,
				`"cname":"hello.renga.localhost"`,
				`"hostname":"www.example.com","id":"` + wiretest.DomainID + `","kind":"custom"`, `"status":"none"`,
			},
			HasNot: []string{"taken.example.org"},
		},
		{
			Name: "a list is paged by id", URL: "/apps/hello/domains", Headers: wiretest.Header(
				"Range", "id ..; max=1",
			), Status: 206,
			After: func(t *testing.T, fixture *fixture, res *http.Response) {
				_, body := fixture.Ask(
					"GET", "/apps/hello/domains", "", wiretest.Header("Range", res.Header.Get("Next-Range")),
				)
				if !strings.Contains(body, `"hostname"`) {
					t.Errorf("page after %q: %s", res.Header.Get("Next-Range"), body)
				}
			},
		},
		{Name: "a domain by its name", URL: "/apps/hello/domains/www.example.com", Has: []string{wiretest.DomainID}},
		{
			Name: "a domain by its name written otherwise", URL: "/apps/hello/domains/WWW.Example.com.",
			Has: []string{wiretest.DomainID},
		},
		{
			Name: "a domain by its id", URL: "/apps/hello/domains/" + wiretest.DomainID,
			Has: []string{`"www.example.com"`},
		},
		{
			Name: "the default domain by its name", URL: "/apps/hello/domains/hello.renga.localhost",
			Has: []string{`"kind":"heroku"`},
		},
		{
			Name: "a domain that is not there", URL: "/apps/hello/domains/no.example.com", Status: 404,
			Has: []string{`{"resource":"domain","id":"not_found","message":"Couldn't find that domain."}`},
		},
		{Name: "another app's domain", URL: "/apps/hello/domains/taken.example.org", Status: 404},
		{
			Name: "a domain is added", Method: "POST", URL: "/apps/hello/domains",
			Body: `{"hostname":"Shop.Example.org.","sni_endpoint":null}`, Status: 201,
			Has: []string{
				`"hostname":"shop.example.org"`, `"cname":"hello.renga.localhost"`, `"status":"none"`,
				`"sni_endpoint":null`,
			},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				wantDomains(t, fixture, "shop.example.org", "www.example.com")
				if !slices.Contains(fixture.Reconciled, wiretest.Hello) ||
					!slices.Contains(ordered(fixture), "shop.example.org") {
					t.Errorf("reconciled %v, ordered %v", fixture.Reconciled, ordered(fixture))
				}
				if !strings.Contains(fixture.Logged.String(), `"action":"domain added"`) {
					t.Error("the change is in no audit line")
				}
			},
		},
		{
			Name: "a name of other letters is kept in punycode", Method: "POST", URL: "/apps/hello/domains",
			Body: `{"hostname":"*.Bücher.example"}`, Status: 201,
			Has: []string{`"hostname":"*.xn--bcher-kva.example"`},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				if res, body := fixture.Ask(
					"GET", "/apps/hello/domains/*.b%C3%BCcher.example", "", nil,
				); res.StatusCode != 200 {
					t.Errorf("not found by its letters: %s", body)
				}
				if len(ordered(fixture)) > 0 {
					t.Errorf("ordered %v", ordered(fixture))
				}
			},
		},
		{
			Name: "the app's only certificate is taken when it is good for the name", Method: "POST",
			URL:  "/apps/hello/domains",
			Body: `{"hostname":"shop.example.com","sni_endpoint":null}`, Status: 201,
			Has: []string{`"sni_endpoint":{"id":"` + wiretest.EndpointID},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				if len(ordered(fixture)) > 0 {
					t.Errorf("ordered %v", ordered(fixture))
				}
			},
		},
		{
			Name: "the certificate that was asked for is taken", Method: "POST", URL: "/apps/hello/domains",
			Body: `{"hostname":"shop.example.org","sni_endpoint":"` + wiretest.EndpointID + `"}`, Status: 201,
			Has: []string{`"sni_endpoint":{"id":"` + wiretest.EndpointID},
		},
		{
			Name: "a certificate that is not there is not taken", Method: "POST", URL: "/apps/hello/domains",
			Body: `{"hostname":"shop.example.org","sni_endpoint":"tokyo-1"}`, Status: 404,
			Has: []string{`"resource":"sni_endpoint"`},
		},
		refused("a name that the app has", "www.example.com", "Domain already added to this app."),
		refused(
			"a name that another app has", "taken.example.org",
			"taken.example.org is currently in use by another app.",
		),
		refused(
			"a wildcard over another owner's name", "*.example.org",
			"taken.example.org is currently in use by another app.",
		),
		refused("an address", "192.0.2.1", "is an IP address"),
		refused("an address of the sixth version", "2001:db8::1", "is an IP address"),
		refused("an address with a port", "192.0.2.1:80", "not a valid host name"),
		refused("a port", "www.example.com:443", "not a valid host name"),
		refused("a URL", "https://www.example.com/", "not a valid host name"),
		refused("a single label", "localhost", "not a valid host name"),
		refused("nothing", "", "not a valid host name"),
		refused("a star that is no label", "a*.example.com", "not a valid host name"),
		refused("a star in the middle", "a.*.example.com", "not a valid host name"),
		refused("a wildcard of a whole country", "*.com", "not a valid host name"),
		refused("a public suffix", "co.uk", "stands for names that anybody can register below co.uk"),
		refused("a wildcard of one", "*.co.uk", "add names of your own there, like www.example.co.uk"),
		refused("one in another script", "*.个人.hk", "anybody can register below xn--ciqpn.hk"),
		refused("one by a rule for a whole level", "shops.kawasaki.jp", "anybody can register"),
		refused("a wildcard over such ones", "*.kawasaki.jp", "anybody can register"),
		refused("a wildcard of a company's customers", "*.github.io", "anybody can register"),
		added("what lies below a public suffix", "example.co.uk"),
		added("a wildcard below one's own name", "*.example.co.uk"),
		added("a customer's name", "me.github.io"),
		added("the company's own name", "github.io"),
		added("an exception from a rule", "city.kawasaki.jp"),
		added("a name of a company's own network", "*.intranet.corp"),
		refused("an empty label", "a..example.com", "not a valid host name"),
		refused("a label with a dash last", "a-.example.com", "not a valid host name"),
		refused("a label that is too long", "a"+wide+"example.com", "not a valid host name"),
		refused("a name that is too long", strings.Repeat(wide, 4)+"com", "longer than 253"),
		refused("letters that no name may have", "a\u200d\u3002\u00ad.example", "not a valid host name"),
		refused("the platform's own domain", "renga.localhost", "reserved for the platform"),
		refused("a name below the platform's", "shop.renga.localhost", "reserved for the platform"),
		refused("a wildcard below the platform's", "*.renga.localhost", "reserved for the platform"),
		{
			Name: "a domain gets a certificate", Method: "PATCH", URL: "/apps/hello/domains/www.example.com",
			Body: `{"sni_endpoint":"` + wiretest.EndpointID + `"}`, Has: []string{
				`"sni_endpoint":{"id":"` + wiretest.EndpointID, `"acm_status":null`,
			},
		},
		{
			Name: "a domain is given none", Method: "PATCH", URL: "/apps/hello/domains/www.example.com",
			Body: `{"sni_endpoint":null}`, Has: []string{`"sni_endpoint":null`, `"acm_status":"cert issued"`},
		},
		{
			Name: "a certificate of nobody", Method: "PATCH", URL: "/apps/hello/domains/www.example.com",
			Body: `{"sni_endpoint":"tokyo-1"}`, Status: 404, Has: []string{"Couldn't find that sni endpoint."},
		},
		{
			Name: "a domain is removed", Method: "DELETE", URL: "/apps/hello/domains/www.example.com",
			Has: []string{wiretest.DomainID},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				wantDomains(t, fixture)
				if !slices.Contains(fixture.Reconciled, wiretest.Hello) {
					t.Error("the dyno manager does not know")
				}
			},
		},
		{
			Name: "the default domain stays", Method: "DELETE", URL: "/apps/hello/domains/hello.renga.localhost",
			Status: 422, Has: []string{"belongs to the app"},
		},
		{
			Name: "another owner's app", Method: "POST", URL: "/apps/other/domains",
			Body: `{"hostname":"a.example.net"}`, Status: 403,
		},
	})
}

func wantDomains(t *testing.T, fixture *fixture, want ...string) {
	t.Helper()
	all, err := fixture.DB.Domains(context.Background(), wiretest.Hello)
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, d := range all {
		hosts = append(hosts, d.Hostname)
	}
	if !slices.Equal(hosts, want) {
		t.Errorf("domains are %v, want %v", hosts, want)
	}
}

func TestAutomaticCertificates(t *testing.T) {
	off := func(s *wiretest.Seed) { s.Edit(wiretest.Hello, func(a *renga.App) { a.ACM = false }) }
	run(t, []scenario{
		{
			Name: "are turned on", Prepare: off, Method: "POST", URL: "/apps/hello/acm", Body: `{}`,
			Has: []string{`"acm":true`},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				if !slices.Equal(ordered(fixture), []string{"www.example.com"}) {
					t.Errorf("ordered %v", ordered(fixture))
				}
			},
		},
		{
			Name: "are turned off", Method: "DELETE", URL: "/apps/hello/acm", Has: []string{`"acm":false`},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				if _, body := fixture.Ask(
					"GET", "/apps/hello/domains/www.example.com", "", nil,
				); !strings.Contains(body, `"acm_status":null`) {
					t.Errorf("domain: %s", body)
				}
				if len(ordered(fixture)) > 0 {
					t.Errorf("ordered %v", ordered(fixture))
				}
			},
		},
		{
			Name: "are tried again", Method: "PATCH", URL: "/apps/hello/acm", Body: `{"acm_refresh":true}`,
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				if !slices.Equal(ordered(fixture), []string{"www.example.com"}) {
					t.Errorf("ordered %v", ordered(fixture))
				}
			},
		},
		{
			Name: "are not tried while they are off", Prepare: off, Method: "PATCH", URL: "/apps/hello/acm",
			Body:   `{"acm_refresh":true}`,
			Status: 422, Has: []string{"certs:auto:enable"},
		},
		{
			Name: "come from the local CA when there is no other", URL: "/apps/hello/domains/www.example.com",
			Has: []string{`"acm_status":"cert issued"`, "RENGA_ACME_DIRECTORY"},
		},
	})
}

func TestACMStatusIsThatOfTheOrder(t *testing.T) {
	fixture := mount(wiretest.New(), true)
	status := func(host string) string {
		_, body := fixture.Ask("GET", "/apps/hello/domains/"+host, "", nil)
		return body
	}
	if got := status("www.example.com"); !strings.Contains(got, `"acm_status":"pending","acm_status_reason":null`) {
		t.Errorf("before the order: %s", got)
	}
	failed := renga.ACMStatus{State: "failing", Reason: "no such name in the DNS"}
	if err := fixture.DB.SetACM(t.Context(), "www.example.com", failed); err != nil {
		t.Fatal(err)
	}
	if got := status("www.example.com"); !strings.Contains(
		got, `"acm_status":"failing","acm_status_reason":"no such name in the DNS"`,
	) {
		t.Errorf("after it failed: %s", got)
	}
	fixture.Ask("POST", "/apps/hello/domains", `{"hostname":"*.example.net"}`, nil)
	if got := status("*.example.net"); !strings.Contains(got, `"acm_status":"failed"`) ||
		!strings.Contains(got, "certs:add") {
		t.Errorf("wildcard: %s", got)
	}
}

func FuzzHostnamesOfDomains(f *testing.F) {
	for _, s := range []string{
		"www.example.com", "*.example.com", "Bücher.example.", "1.2.3.4", "a_b.example", "xn--a.b", "::1", "a..b",
		"日本語。jp", "a.renga.localhost", "%zz.example", "a/b.c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host, err := domains.HostnameOf(text)
		if err != nil || renga.ValidateHostname(host, "renga.localhost") != nil {
			return
		}
		if again, err := domains.HostnameOf(host); err != nil || again != host {
			t.Errorf("%q is kept as %q, which becomes %q, %v", text, host, again, err)
		}
		if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.*") != "" || len(host) > 253 ||
			strings.HasSuffix(host, ".renga.localhost") {
			t.Errorf("%q is kept as %q", text, host)
		}
		if strings.LastIndexByte(host, '*') > 0 || strings.Contains(host, "..") {
			t.Errorf("%q is kept as %q", text, host)
		}
	})
}
