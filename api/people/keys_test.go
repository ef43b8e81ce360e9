package people_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

func TestKeys(t *testing.T) {
	const path = "/account/keys"
	run(t, []scenario{
		{
			Name: "list", URL: path,
			Has: []string{`"comment":"ada@desk"`, `"email":"ada@example.com"`, wiretest.AdasKeyLine},
		},
		{Name: "list of another", URL: path, Headers: wiretest.AsBob, Has: []string{`[]`}},
		{Name: "info by id", URL: path + "/" + wiretest.AdasKey.ID, Has: []string{wiretest.AdasFingerprint}},
		{Name: "info by fingerprint", URL: path + "/" + wiretest.AdasFingerprint, Has: []string{wiretest.AdasKey.ID}},
		{Name: "info of another's", URL: path + "/" + wiretest.AdasKey.ID, Headers: wiretest.AsBob, Status: 404},
		{
			Name: "add", Method: "POST", URL: path, Body: `{"public_key":"` + wiretest.OtherKeyLine + `"}`, Status: 201,
			Has: []string{`"comment":"second key"`}, After: wiretest.AuditedOfAccount("key added"),
		},
		{
			Name: "add with a line's end", Method: "POST", URL: path,
			Body: `{"public_key":"` + wiretest.OtherKeyLine + `\n"}`, Status: 201,
			Has: []string{`"comment":"second key"`},
		},
		{
			Name: "add twice", Method: "POST", URL: path, Body: `{"public_key":"` + wiretest.AdasKeyLine + `"}`,
			Status: 422, Has: []string{"Fingerprint has already been taken."},
		},
		{
			Name: "add another's", Method: "POST", URL: path, Body: `{"public_key":"` + wiretest.AdasKeyLine + `"}`,
			Headers: wiretest.AsBob, Status: 422,
		},
		{Name: "add none", Method: "POST", URL: path, Body: `{"public_key":"ssh-ed25519 nonsense"}`, Status: 422},
		{Name: "add nothing", Method: "POST", URL: path, Body: `{}`, Status: 422},
		{
			Name: "add two", Method: "POST", URL: path,
			Body: `{"public_key":"` + wiretest.AdasKeyLine + `\n` + wiretest.OtherKeyLine + `"}`, Status: 422,
		},
		{
			Name: "add one behind another line", Method: "POST", URL: path,
			Body: `{"public_key":"command=\n` + wiretest.OtherKeyLine + `"}`, Status: 422,
		},
		{
			Name: "add one that is too long", Method: "POST", URL: path,
			Body: `{"public_key":"` + wiretest.OtherKeyLine + strings.Repeat("x", 16<<10) + `"}`, Status: 422,
		},
		{
			Name: "add one with options", Method: "POST", URL: path,
			Body: `{"public_key":"command=\"sh\" ` + wiretest.OtherKeyLine + `"}`, Status: 422,
		},
		{
			Name: "remove", Method: "DELETE", URL: path + "/" + wiretest.AdasKey.ID,
			Has: []string{wiretest.AdasFingerprint}, After: wiretest.AuditedOfAccount("key removed"),
		},
		{
			Name: "remove by fingerprint", Method: "DELETE", URL: path + "/" + wiretest.AdasFingerprint,
			Has: []string{wiretest.AdasKey.ID}, After: hasNoKey,
		},
		{
			Name: "remove another's", Method: "DELETE", URL: path + "/" + wiretest.AdasKey.ID,
			Headers: wiretest.AsBob, Status: 404,
		},
		{Name: "remove none", Method: "DELETE", URL: path + "/nothing", Status: 404, Has: []string{`"resource":"key"`}},
	})
}

func hasNoKey(t *testing.T, r *fixture, _ *http.Response) {
	t.Helper()
	if _, body := r.Ask("GET", "/account/keys", "", nil); strings.TrimSpace(body) != "[]" {
		t.Errorf("the keys are %s", body)
	}
}

// FuzzPublicKeys checks that whatever is accepted as a key is one line with one
// key, and is found by its fingerprint.
func FuzzPublicKeys(f *testing.F) {
	for _, seed := range []string{
		wiretest.AdasKeyLine, wiretest.OtherKeyLine, wiretest.OtherKeyLine + "\n", "# a comment\n" + wiretest.OtherKeyLine,
		"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAA==", "\n" + wiretest.OtherKeyLine, `from="*" ` + wiretest.OtherKeyLine,
		"ssh-dss AAAA", wiretest.OtherKeyLine + "\r\n", "",
	} {
		f.Add(seed)
	}
	fixture := newFixture()
	f.Fuzz(func(t *testing.T, line string) {
		res, body := fixture.Ask("POST", "/account/keys", `{"public_key":`+wiretest.Quoted(line)+`}`, nil)
		switch res.StatusCode {
		case 201:
			var k struct {
				Fingerprint string
				PublicKey   string `json:"public_key"`
			}
			if err := json.Unmarshal([]byte(body), &k); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.TrimSpace(k.PublicKey), "\n") {
				t.Errorf("%q is taken as one key", line)
			}
			for _, method := range []string{"GET", "DELETE"} { // the next input may be the same key
				if res, body := fixture.Ask(method, "/account/keys/"+k.Fingerprint, "", nil); res.StatusCode != 200 {
					t.Errorf("%s of %q by its fingerprint gets %d: %s", method, line, res.StatusCode, body)
				}
			}
		case 422:
		default:
			t.Errorf("%q gets %d: %s", line, res.StatusCode, body)
		}
	})
}
