package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"renga"
)

const (
	adasLine  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGMSO7OfHxv5C0F/LpqzftuMgTk3S4tpZFK9bwVMxsgX ada@desk"
	otherLine = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHb5MqxkvV0IQ3kRh1s0G1iLzqCGjRw0y0l8ajd4iDzm second key"
	adasPrint = "bb:19:5d:ae:54:42:67:09:95:c0:36:70:25:ab:19:75"
)

var adasKey = renga.SSHKey{ID: "50000000-0000-4000-8000-000000000001", Account: ada.ID, Comment: "ada@desk", Fingerprint: adasPrint, PublicKey: adasLine, CreatedAt: born}

func TestKeys(t *testing.T) {
	const path = "/account/keys"
	run(t, []scenario{
		{name: "list", url: path, has: []string{`"comment":"ada@desk"`, `"email":"ada@example.com"`, adasLine}},
		{name: "list of another", url: path, headers: asBob, has: []string{`[]`}},
		{name: "info by id", url: path + "/" + adasKey.ID, has: []string{adasPrint}},
		{name: "info by fingerprint", url: path + "/" + adasPrint, has: []string{adasKey.ID}},
		{name: "info of another's", url: path + "/" + adasKey.ID, headers: asBob, status: 404},
		{name: "add", method: "POST", url: path, body: `{"public_key":"` + otherLine + `"}`, status: 201, has: []string{`"comment":"second key"`}, after: auditedOfAccount("key added")},
		{name: "add with a line's end", method: "POST", url: path, body: `{"public_key":"` + otherLine + `\n"}`, status: 201, has: []string{`"comment":"second key"`}},
		{name: "add twice", method: "POST", url: path, body: `{"public_key":"` + adasLine + `"}`, status: 422, has: []string{"Fingerprint has already been taken."}},
		{name: "add another's", method: "POST", url: path, body: `{"public_key":"` + adasLine + `"}`, headers: asBob, status: 422},
		{name: "add none", method: "POST", url: path, body: `{"public_key":"ssh-ed25519 nonsense"}`, status: 422},
		{name: "add nothing", method: "POST", url: path, body: `{}`, status: 422},
		{name: "add two", method: "POST", url: path, body: `{"public_key":"` + adasLine + `\n` + otherLine + `"}`, status: 422},
		{name: "add one behind another line", method: "POST", url: path, body: `{"public_key":"command=\n` + otherLine + `"}`, status: 422},
		{name: "add one that is too long", method: "POST", url: path, body: `{"public_key":"` + otherLine + strings.Repeat("x", 16<<10) + `"}`, status: 422},
		{name: "add one with options", method: "POST", url: path, body: `{"public_key":"command=\"sh\" ` + otherLine + `"}`, status: 422},
		{name: "remove", method: "DELETE", url: path + "/" + adasKey.ID, has: []string{adasPrint}, after: auditedOfAccount("key removed")},
		{name: "remove by fingerprint", method: "DELETE", url: path + "/" + adasPrint, has: []string{adasKey.ID}, after: keyless},
		{name: "remove another's", method: "DELETE", url: path + "/" + adasKey.ID, headers: asBob, status: 404},
		{name: "remove none", method: "DELETE", url: path + "/nothing", status: 404, has: []string{`"resource":"key"`}},
	})
}

func keyless(t *testing.T, r *rig, _ *http.Response) {
	t.Helper()
	if _, body := r.ask("GET", "/account/keys", "", nil); strings.TrimSpace(body) != "[]" {
		t.Errorf("the keys are %s", body)
	}
}

// FuzzPublicKeys: what is taken as a key is one line of one key, and is found by
// its fingerprint.
func FuzzPublicKeys(f *testing.F) {
	for _, seed := range []string{adasLine, otherLine, otherLine + "\n", "# a comment\n" + otherLine, "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAA==", "\n" + otherLine, `from="*" ` + otherLine, "ssh-dss AAAA", otherLine + "\r\n", ""} {
		f.Add(seed)
	}
	rig := newRig(nil)
	f.Fuzz(func(t *testing.T, line string) {
		res, body := rig.ask("POST", "/account/keys", `{"public_key":`+quoted(line)+`}`, nil)
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
				if res, body := rig.ask(method, "/account/keys/"+k.Fingerprint, "", nil); res.StatusCode != 200 {
					t.Errorf("%s of %q by its fingerprint gets %d: %s", method, line, res.StatusCode, body)
				}
			}
		case 422:
		default:
			t.Errorf("%q gets %d: %s", line, res.StatusCode, body)
		}
	})
}

func TestAccounts(t *testing.T) {
	run(t, []scenario{
		{name: "rename", method: "PATCH", url: "/account", body: `{"name":"Ada L."}`, has: []string{`"name":"Ada L."`, `"email":"ada@example.com"`}, after: auditedOfAccount("account updated")},
		{name: "long name", method: "PATCH", url: "/account", body: `{"name":"` + strings.Repeat("x", 201) + `"}`, status: 422},
		{name: "update another", method: "PATCH", url: "/users/bob@example.com", body: `{"name":"x"}`, status: 404},
		{name: "delete", method: "DELETE", url: "/account", status: 403, has: []string{"Revoke this one's authorizations instead"}},
		{name: "delete another", method: "DELETE", url: "/users/bob@example.com", status: 404},
		{name: "features", url: "/account/features", has: []string{`[]`}},
		{name: "feature of apps", url: "/account/features/preboot", status: 404, has: []string{`"id":"not_found"`}},
		{name: "preferences before any", url: "/users/~/preferences", has: []string{`"timezone":null`}},
		{name: "preferences", method: "PATCH", url: "/users/~/preferences", body: `{"timezone":"Asia/Tokyo","dismissed-sms-banner":true,"unknown":1}`, has: []string{`"timezone":"Asia/Tokyo"`, `"dismissed-sms-banner":true`, `"default-organization":null`}, hasNot: []string{"unknown"}},
		{name: "preference of a wrong type", method: "PATCH", url: "/users/~/preferences", body: `{"timezone":1}`, status: 422, has: []string{`Field \"timezone\" must be a string.`}},
		{name: "preferences of another", url: "/users/bob@example.com/preferences", status: 404},
	})
}

func TestPreferencesAreKept(t *testing.T) {
	rig := newRig(nil)
	rig.ask("PATCH", "/users/~/preferences", `{"timezone":"Asia/Tokyo","dismissed-sms-banner":true}`, nil)
	rig.ask("PATCH", "/users/~/preferences", `{"dismissed-sms-banner":null}`, nil)
	scenario{url: "/users/~/preferences", has: []string{`"timezone":"Asia/Tokyo"`, `"dismissed-sms-banner":null`}}.play(t, rig)
}
