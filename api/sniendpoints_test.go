package api_test

import (
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
)

func TestSNIEndpoints(t *testing.T) {
	at := "/apps/hello/sni-endpoints"
	stranger := newPair(born, "www.example.net")
	old := newPair(born.AddDate(-2, 0, 0), "www.example.net")
	keySecret := strings.Split(own.key, "\n")[1]
	run(t, []scenario{
		{
			name: "the list shows certificates and hides keys", url: at,
			has: []string{
				`"cert_domains":["*.example.com","example.com"]`, `"starts_at":"2026-01-02T03:04:05Z"`, `"expires_at":"2027-01-02T03:04:05Z"`,
				`"issuer":"/CN=*.example.com"`, `"subject":"/CN=*.example.com"`, `"self_signed?":true`, `"ca_signed?":false`, `"acm":false`, `"domains":[]`,
			},
			hasNot: []string{keySecret, "PRIVATE"},
		},
		{
			name: "one is added", method: "POST", url: at, body: stranger.body(), status: 201,
			has: []string{`"cert_domains":["www.example.net"]`, `"display_name":null`}, hasNot: []string{"PRIVATE"},
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				if secret := strings.Split(stranger.key, "\n")[1]; strings.Contains(rig.log.String(), secret) {
					t.Error("the key is in the log")
				}
			},
		},
		{name: "one is found by its id", url: at + "/" + endpointID, has: []string{endpointID}},
		{name: "one that is not there", url: at + "/tokyo-1", status: 404, has: []string{`"resource":"sni_endpoint"`}},
		{
			name: "one is replaced, and keeps its name", method: "PATCH", url: at + "/" + endpointID, body: stranger.body(),
			has: []string{`"cert_domains":["www.example.net"]`, endpointID},
		},
		{
			name: "a key of another certificate", method: "POST", url: at, body: pair{stranger.chain, own.key}.body(), status: 422,
			has: []string{"The private key does not belong to the certificate"}, hasNot: []string{keySecret},
		},
		{name: "no key", method: "POST", url: at, body: pair{own.chain, ""}.body(), status: 422, has: []string{"No private key was given"}},
		{name: "no certificate", method: "POST", url: at, body: pair{"", own.key}.body(), status: 422, has: []string{"holds no certificate"}},
		{name: "an expired certificate", method: "POST", url: at, body: old.body(), status: 422, has: []string{"expired on 2025-01-02"}},
		{
			name: "one is removed, and its domains have none", method: "DELETE", url: at + "/" + endpointID,
			after: func(t *testing.T, rig *rig, _ *http.Response) {
				if _, body := rig.ask("GET", at, "", nil); strings.TrimSpace(body) != "[]" {
					t.Errorf("left: %s", body)
				}
			},
		},
	})
}

func TestACertificateKnowsItsDomainsUntilItGoes(t *testing.T) {
	rig := newRig(nil)
	ask := func(method, url, body string) string {
		t.Helper()
		res, answer := rig.ask(method, url, body, nil)
		if res.StatusCode >= 300 {
			t.Fatalf("%s %s: %d %s", method, url, res.StatusCode, answer)
		}
		return answer
	}
	ask("PATCH", "/apps/hello/domains/www.example.com", `{"sni_endpoint":"`+endpointID+`"}`)
	if got := ask("GET", "/apps/hello/sni-endpoints/"+endpointID, ""); !strings.Contains(got, `"domains":["`+domainID+`"]`) {
		t.Errorf("certificate: %s", got)
	}
	ask("DELETE", "/apps/hello/sni-endpoints/"+endpointID, "")
	if got := ask("GET", "/apps/hello/domains/www.example.com", ""); !strings.Contains(got, `"sni_endpoint":null`) {
		t.Errorf("domain: %s", got)
	}
	if len(rig.world.ordered) != 1 {
		t.Errorf("ordered %v: the domain is managed again", rig.world.ordered)
	}
}

// FuzzCertificateBodies: whatever a client calls a certificate and its key, it is
// taken or refused, and the key is shown nowhere.
func FuzzCertificateBodies(f *testing.F) {
	stranger := newPair(born, "www.example.net")
	f.Add(own.chain, own.key)
	f.Add(own.chain+stranger.chain, stranger.key)
	f.Add(own.chain, stranger.key)
	f.Add(own.key, own.chain)
	f.Add("", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	rig := newRig(nil)
	f.Fuzz(func(t *testing.T, chain, key string) {
		res, body := rig.ask("PATCH", "/apps/hello/sni-endpoints/"+endpointID, pair{chain, key}.body(), nil)
		if res.StatusCode != 200 && res.StatusCode != 422 {
			t.Errorf("got %d: %s", res.StatusCode, body)
		}
		if block, _ := pem.Decode([]byte(key)); block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY") && len(block.Bytes) > 60 {
			secret := base64.StdEncoding.EncodeToString(block.Bytes)[:60]
			if strings.Contains(body+rig.log.String(), secret) && !strings.Contains(chain, secret) {
				t.Errorf("the key is shown: %s", body)
			}
		}
		rig.log.Reset()
	})
}
