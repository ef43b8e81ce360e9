package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/api"
)

func TestDomains(t *testing.T) {
	wide := strings.Repeat("a", 63) + "."
	added := func(name, host string) scenario {
		return scenario{
			name: name, method: "POST", url: "/apps/hello/domains", body: `{"hostname":"` + host + `","sni_endpoint":null}`,
			status: 201, has: []string{`"hostname":"` + host + `"`},
			after: func(t *testing.T, rig *rig, _ *http.Response) { wantDomains(t, rig, host, "www.example.com") },
		}
	}
	refused := func(name, host, why string) scenario {
		return scenario{
			name: name, method: "POST", url: "/apps/hello/domains", body: `{"hostname":"` + host + `","sni_endpoint":null}`,
			status: 422, has: []string{"invalid_params", why},
			after: func(t *testing.T, rig *rig, _ *http.Response) { wantDomains(t, rig, "www.example.com") },
		}
	}
	run(t, []scenario{
		{
			name: "the list has the default domain and the custom ones", url: "/apps/hello/domains",
			has: []string{
				`"hostname":"hello.renga.localhost","id":"`, `"kind":"heroku"`, `"cname":null`,
				`"cname":"hello.renga.localhost"`, `"hostname":"www.example.com","id":"` + domainID + `","kind":"custom"`, `"status":"none"`,
			},
			hasNot: []string{"taken.example.org"},
		},
		{
			name: "a list is paged by id", url: "/apps/hello/domains", headers: header("Range", "id ..; max=1"), status: 206,
			after: func(t *testing.T, rig *rig, res *http.Response) {
				_, body := rig.ask("GET", "/apps/hello/domains", "", header("Range", res.Header.Get("Next-Range")))
				if !strings.Contains(body, `"hostname"`) {
					t.Errorf("page after %q: %s", res.Header.Get("Next-Range"), body)
				}
			},
		},
		{name: "a domain by its name", url: "/apps/hello/domains/www.example.com", has: []string{domainID}},
		{name: "a domain by its name written otherwise", url: "/apps/hello/domains/WWW.Example.com.", has: []string{domainID}},
		{name: "a domain by its id", url: "/apps/hello/domains/" + domainID, has: []string{`"www.example.com"`}},
		{name: "the default domain by its name", url: "/apps/hello/domains/hello.renga.localhost", has: []string{`"kind":"heroku"`}},
		{
			name: "a domain that is not there", url: "/apps/hello/domains/no.example.com", status: 404,
			has: []string{`{"resource":"domain","id":"not_found","message":"Couldn't find that domain."}`},
		},
		{name: "another app's domain", url: "/apps/hello/domains/taken.example.org", status: 404},
		{
			name: "a domain is added", method: "POST", url: "/apps/hello/domains", body: `{"hostname":"Shop.Example.org.","sni_endpoint":null}`, status: 201,
			has: []string{`"hostname":"shop.example.org"`, `"cname":"hello.renga.localhost"`, `"status":"none"`, `"sni_endpoint":null`},
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				wantDomains(t, rig, "shop.example.org", "www.example.com")
				if !slices.Contains(rig.world.woken, hello) || !slices.Contains(rig.world.ordered, "shop.example.org") {
					t.Errorf("woken %v, ordered %v", rig.world.woken, rig.world.ordered)
				}
				if !strings.Contains(rig.log.String(), `"action":"domain added"`) {
					t.Error("the change is in no audit line")
				}
			},
		},
		{
			name: "a name of other letters is kept in punycode", method: "POST", url: "/apps/hello/domains", body: `{"hostname":"*.Bücher.example"}`, status: 201,
			has: []string{`"hostname":"*.xn--bcher-kva.example"`},
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				if res, body := rig.ask("GET", "/apps/hello/domains/*.b%C3%BCcher.example", "", nil); res.StatusCode != 200 {
					t.Errorf("not found by its letters: %s", body)
				}
				if len(rig.world.ordered) > 0 {
					t.Errorf("ordered %v", rig.world.ordered)
				}
			},
		},
		{
			name: "the app's only certificate is taken when it is good for the name", method: "POST", url: "/apps/hello/domains",
			body: `{"hostname":"shop.example.com","sni_endpoint":null}`, status: 201, has: []string{`"sni_endpoint":{"id":"` + endpointID},
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				if len(rig.world.ordered) > 0 {
					t.Errorf("ordered %v", rig.world.ordered)
				}
			},
		},
		{
			name: "the certificate that was asked for is taken", method: "POST", url: "/apps/hello/domains",
			body: `{"hostname":"shop.example.org","sni_endpoint":"` + endpointID + `"}`, status: 201, has: []string{`"sni_endpoint":{"id":"` + endpointID},
		},
		{
			name: "a certificate that is not there is not taken", method: "POST", url: "/apps/hello/domains",
			body: `{"hostname":"shop.example.org","sni_endpoint":"tokyo-1"}`, status: 404, has: []string{`"resource":"sni_endpoint"`},
		},
		refused("a name that the app has", "www.example.com", "Domain already added to this app."),
		refused("a name that another app has", "taken.example.org", "taken.example.org is currently in use by another app."),
		refused("a wildcard over another owner's name", "*.example.org", "taken.example.org is currently in use by another app."),
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
			name: "a domain gets a certificate", method: "PATCH", url: "/apps/hello/domains/www.example.com",
			body: `{"sni_endpoint":"` + endpointID + `"}`, has: []string{`"sni_endpoint":{"id":"` + endpointID, `"acm_status":null`},
		},
		{
			name: "a domain is given none", method: "PATCH", url: "/apps/hello/domains/www.example.com",
			body: `{"sni_endpoint":null}`, has: []string{`"sni_endpoint":null`, `"acm_status":"cert issued"`},
		},
		{
			name: "a certificate of nobody", method: "PATCH", url: "/apps/hello/domains/www.example.com",
			body: `{"sni_endpoint":"tokyo-1"}`, status: 404, has: []string{"Couldn't find that sni endpoint."},
		},
		{
			name: "a domain is removed", method: "DELETE", url: "/apps/hello/domains/www.example.com", has: []string{domainID},
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				wantDomains(t, rig)
				if !slices.Contains(rig.world.woken, hello) {
					t.Error("the dyno manager does not know")
				}
			},
		},
		{name: "the default domain stays", method: "DELETE", url: "/apps/hello/domains/hello.renga.localhost", status: 422, has: []string{"belongs to the app"}},
		{name: "another owner's app", method: "POST", url: "/apps/other/domains", body: `{"hostname":"a.example.net"}`, status: 403},
	})
}

func wantDomains(t *testing.T, rig *rig, want ...string) {
	t.Helper()
	all, err := rig.db.Domains(context.Background(), hello)
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
	off := func(w *world) { a := w.apps[hello]; a.ACM = false; w.apps[hello] = a }
	run(t, []scenario{
		{
			name: "are turned on", prepare: off, method: "POST", url: "/apps/hello/acm", body: `{}`, has: []string{`"acm":true`},
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				if !slices.Equal(rig.world.ordered, []string{"www.example.com"}) {
					t.Errorf("ordered %v", rig.world.ordered)
				}
			},
		},
		{
			name: "are turned off", method: "DELETE", url: "/apps/hello/acm", has: []string{`"acm":false`},
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				if _, body := rig.ask("GET", "/apps/hello/domains/www.example.com", "", nil); !strings.Contains(body, `"acm_status":null`) {
					t.Errorf("domain: %s", body)
				}
				if len(rig.world.ordered) > 0 {
					t.Errorf("ordered %v", rig.world.ordered)
				}
			},
		},
		{
			name: "are tried again", method: "PATCH", url: "/apps/hello/acm", body: `{"acm_refresh":true}`,
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				if !slices.Equal(rig.world.ordered, []string{"www.example.com"}) {
					t.Errorf("ordered %v", rig.world.ordered)
				}
			},
		},
		{
			name: "are not tried while they are off", prepare: off, method: "PATCH", url: "/apps/hello/acm", body: `{"acm_refresh":true}`,
			status: 422, has: []string{"certs:auto:enable"},
		},
		{
			name: "come from the local CA when there is no other", url: "/apps/hello/domains/www.example.com",
			has: []string{`"acm_status":"cert issued"`, "RENGA_ACME_DIRECTORY"},
		},
	})
}

func TestACMStatusIsThatOfTheOrder(t *testing.T) {
	rig := newRigWith(func(o *api.Options) { o.ACME = true })
	status := func(host string) string {
		_, body := rig.ask("GET", "/apps/hello/domains/"+host, "", nil)
		return body
	}
	if got := status("www.example.com"); !strings.Contains(got, `"acm_status":"pending","acm_status_reason":null`) {
		t.Errorf("before the order: %s", got)
	}
	failed := renga.ACMStatus{State: "failing", Reason: "no such name in the DNS"}
	if err := rig.db.SetACM(t.Context(), "www.example.com", failed); err != nil {
		t.Fatal(err)
	}
	if got := status("www.example.com"); !strings.Contains(got, `"acm_status":"failing","acm_status_reason":"no such name in the DNS"`) {
		t.Errorf("after it failed: %s", got)
	}
	rig.ask("POST", "/apps/hello/domains", `{"hostname":"*.example.net"}`, nil)
	if got := status("*.example.net"); !strings.Contains(got, `"acm_status":"failed"`) || !strings.Contains(got, "certs:add") {
		t.Errorf("wildcard: %s", got)
	}
}

func FuzzHostnamesOfDomains(f *testing.F) {
	for _, s := range []string{"www.example.com", "*.example.com", "Bücher.example.", "1.2.3.4", "a_b.example", "xn--a.b", "::1", "a..b", "日本語。jp", "a.renga.localhost", "%zz.example", "a/b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host, err := api.HostnameOf(text)
		if err != nil || renga.ValidateHostname(host, "renga.localhost") != nil {
			return
		}
		if again, err := api.HostnameOf(host); err != nil || again != host {
			t.Errorf("%q is kept as %q, which becomes %q, %v", text, host, again, err)
		}
		if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.*") != "" || len(host) > 253 || strings.HasSuffix(host, ".renga.localhost") {
			t.Errorf("%q is kept as %q", text, host)
		}
		if strings.LastIndexByte(host, '*') > 0 || strings.Contains(host, "..") {
			t.Errorf("%q is kept as %q", text, host)
		}
	})
}
