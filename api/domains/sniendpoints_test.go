package domains_test

import (
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

func TestSNIEndpoints(t *testing.T) {
	at := "/apps/hello/sni-endpoints"
	stranger := wiretest.NewPair(wiretest.Born, "www.example.net")
	old := wiretest.NewPair(wiretest.Born.AddDate(-2, 0, 0), "www.example.net")
	keySecret := strings.Split(wiretest.Own.Key, "\n")[1]
	run(t, []scenario{
		{
			Name: "the list shows certificates and hides keys", URL: at,
			Has: []string{
				`"cert_domains":["*.example.com","example.com"]`, `"starts_at":"2026-01-02T03:04:05Z"`,
				`"expires_at":"2027-01-02T03:04:05Z"`,
				`"issuer":"/CN=*.example.com"`, `"subject":"/CN=*.example.com"`, `"self_signed?":true`,
				`"ca_signed?":false`, `"acm":false`, `"domains":[]`,
			},
			HasNot: []string{keySecret, "PRIVATE"},
		},
		{
			Name: "one is added", Method: "POST", URL: at, Body: stranger.Body(), Status: 201,
			Has: []string{`"cert_domains":["www.example.net"]`, `"display_name":null`}, HasNot: []string{"PRIVATE"},
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				if secret := strings.Split(stranger.Key, "\n")[1]; strings.Contains(fixture.Logged.String(), secret) {
					t.Error("the key is in the log")
				}
			},
		},
		{Name: "one is found by its id", URL: at + "/" + wiretest.EndpointID, Has: []string{wiretest.EndpointID}},
		{Name: "one that is not there", URL: at + "/tokyo-1", Status: 404, Has: []string{`"resource":"sni_endpoint"`}},
		{
			Name: "one is replaced, and keeps its name", Method: "PATCH", URL: at + "/" + wiretest.EndpointID,
			Body: stranger.Body(),
			Has:  []string{`"cert_domains":["www.example.net"]`, wiretest.EndpointID},
		},
		{
			Name: "a key of another certificate", Method: "POST", URL: at, Body: wiretest.Pair{
				Chain: stranger.Chain, Key: wiretest.Own.Key,
			}.Body(), Status: 422,
			Has: []string{"The private key does not belong to the certificate"}, HasNot: []string{keySecret},
		},
		{
			Name: "no key", Method: "POST", URL: at, Body: wiretest.Pair{Chain: wiretest.Own.Chain, Key: ""}.Body(),
			Status: 422, Has: []string{"No private key was given"},
		},
		{
			Name: "no certificate", Method: "POST", URL: at,
			Body: wiretest.Pair{Chain: "", Key: wiretest.Own.Key}.Body(), Status: 422,
			Has: []string{"holds no certificate"},
		},
		{
			Name: "an expired certificate", Method: "POST", URL: at, Body: old.Body(), Status: 422,
			Has: []string{"expired on 2025-01-02"},
		},
		{
			Name: "one is removed, and its domains have none", Method: "DELETE", URL: at + "/" + wiretest.EndpointID,
			After: func(t *testing.T, fixture *fixture, _ *http.Response) {
				if _, body := fixture.Ask("GET", at, "", nil); strings.TrimSpace(body) != "[]" {
					t.Errorf("left: %s", body)
				}
			},
		},
	})
}

func TestACertificateKnowsItsDomainsUntilItGoes(t *testing.T) {
	fixture := newFixture()
	ask := func(method, url, body string) string {
		t.Helper()
		res, answer := fixture.Ask(method, url, body, nil)
		if res.StatusCode >= 300 {
			t.Fatalf("%s %s: %d %s", method, url, res.StatusCode, answer)
		}
		return answer
	}
	ask("PATCH", "/apps/hello/domains/www.example.com", `{"sni_endpoint":"`+wiretest.EndpointID+`"}`)
	if got := ask(
		"GET", "/apps/hello/sni-endpoints/"+wiretest.EndpointID, "",
	); !strings.Contains(got, `"domains":["`+wiretest.DomainID+`"]`) {
		t.Errorf("certificate: %s", got)
	}
	ask("DELETE", "/apps/hello/sni-endpoints/"+wiretest.EndpointID, "")
	if got := ask("GET", "/apps/hello/domains/www.example.com", ""); !strings.Contains(got, `"sni_endpoint":null`) {
		t.Errorf("domain: %s", got)
	}
	if len(ordered(fixture)) != 1 {
		t.Errorf("ordered %v: the domain is managed again", ordered(fixture))
	}
}

// FuzzCertificateBodies: whatever a client calls a certificate and its key, it is
// taken or refused, and the key is shown nowhere.
func FuzzCertificateBodies(f *testing.F) {
	stranger := wiretest.NewPair(wiretest.Born, "www.example.net")
	f.Add(wiretest.Own.Chain, wiretest.Own.Key)
	f.Add(wiretest.Own.Chain+stranger.Chain, stranger.Key)
	f.Add(wiretest.Own.Chain, stranger.Key)
	f.Add(wiretest.Own.Key, wiretest.Own.Chain)
	f.Add("", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	fixture := newFixture()
	f.Fuzz(func(t *testing.T, chain, key string) {
		res, body := fixture.Ask(
			"PATCH", "/apps/hello/sni-endpoints/"+wiretest.EndpointID, wiretest.Pair{Chain: chain, Key: key}.Body(),
			nil,
		)
		if res.StatusCode != 200 && res.StatusCode != 422 {
			t.Errorf("got %d: %s", res.StatusCode, body)
		}
		if block, _ := pem.Decode([]byte(key)); block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY") &&
			len(block.Bytes) > 60 {
			secret := base64.StdEncoding.EncodeToString(block.Bytes)[:60]
			if strings.Contains(body+fixture.Logged.String(), secret) && !strings.Contains(chain, secret) {
				t.Errorf("the key is shown: %s", body)
			}
		}
		fixture.Logged.Reset()
	})
}
