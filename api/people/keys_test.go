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
			Has: []string{`"comment":"ada@desk"`, `"email":"ada@example.com"`, wiretest.AdasLine},
		},
		{Name: "list of another", URL: path, Headers: wiretest.AsBob, Has: []string{`[]`}},
		{Name: "info by id", URL: path + "/" + wiretest.AdasKey.ID, Has: []string{wiretest.AdasPrint}},
		{Name: "info by fingerprint", URL: path + "/" + wiretest.AdasPrint, Has: []string{wiretest.AdasKey.ID}},
		{Name: "info of another's", URL: path + "/" + wiretest.AdasKey.ID, Headers: wiretest.AsBob, Status: 404},
		{
			Name: "add", Method: "POST", URL: path, Body: `{"public_key":"` + wiretest.OtherLine + `"}`, Status: 201,
			Has: []string{`"comment":"second key"`}, After: wiretest.AuditedOfAccount("key added"),
		},
		{
			Name: "add with a line's end", Method: "POST", URL: path,
			Body: `{"public_key":"` + wiretest.OtherLine + `\n"}`, Status: 201,
			Has: []string{`"comment":"second key"`},
		},
		{
			Name: "add twice", Method: "POST", URL: path, Body: `{"public_key":"` + wiretest.AdasLine + `"}`,
			Status: 422, Has: []string{"Fingerprint has already been taken."},
		},
		{
			Name: "add another's", Method: "POST", URL: path, Body: `{"public_key":"` + wiretest.AdasLine + `"}`,
			Headers: wiretest.AsBob, Status: 422,
		},
		{Name: "add none", Method: "POST", URL: path, Body: `{"public_key":"ssh-ed25519 nonsense"}`, Status: 422},
		{Name: "add nothing", Method: "POST", URL: path, Body: `{}`, Status: 422},
		{
			Name: "add two", Method: "POST", URL: path,
			Body: `{"public_key":"` + wiretest.AdasLine + `\n` + wiretest.OtherLine + `"}`, Status: 422,
		},
		{
			Name: "add one behind another line", Method: "POST", URL: path,
			Body: `{"public_key":"command=\n` + wiretest.OtherLine + `"}`, Status: 422,
		},
		{
			Name: "add one that is too long", Method: "POST", URL: path,
			Body: `{"public_key":"` + wiretest.OtherLine + strings.Repeat("x", 16<<10) + `"}`, Status: 422,
		},
		{
			Name: "add one with options", Method: "POST", URL: path,
			Body: `{"public_key":"command=\"sh\" ` + wiretest.OtherLine + `"}`, Status: 422,
		},
		{
			Name: "remove", Method: "DELETE", URL: path + "/" + wiretest.AdasKey.ID,
			Has: []string{wiretest.AdasPrint}, After: wiretest.AuditedOfAccount("key removed"),
		},
		{
			Name: "remove by fingerprint", Method: "DELETE", URL: path + "/" + wiretest.AdasPrint,
			Has: []string{wiretest.AdasKey.ID}, After: keyless,
		},
		{
			Name: "remove another's", Method: "DELETE", URL: path + "/" + wiretest.AdasKey.ID,
			Headers: wiretest.AsBob, Status: 404,
		},
		{Name: "remove none", Method: "DELETE", URL: path + "/nothing", Status: 404, Has: []string{`"resource":"key"`}},
	})
}

func keyless(t *testing.T, r *fixture, _ *http.Response) {
	t.Helper()
	if _, body := r.Ask("GET", "/account/keys", "", nil); strings.TrimSpace(body) != "[]" {
		t.Errorf("the keys are %s", body)
	}
}

// FuzzPublicKeys: what is taken as a key is one line of one key, and is found by
// its fingerprint.
func FuzzPublicKeys(f *testing.F) {
	for _, seed := range []string{
		wiretest.AdasLine, wiretest.OtherLine, wiretest.OtherLine + "\n", "# a comment\n" + wiretest.OtherLine,
		"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAA==", "\n" + wiretest.OtherLine, `from="*" ` + wiretest.OtherLine,
		"ssh-dss AAAA", wiretest.OtherLine + "\r\n", "",
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
			for _, method := range []string{"GET", "DELETE"} { // the next one may be the same
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
