package wiretest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

// Audited finds the audit line of an action on an app, with who did it.
func Audited(action string) func(*testing.T, *Fixture, *http.Response) {
	return auditLine(action, func(fields map[string]any) bool { return fields["app"] != "" })
}

// AuditedOfAccount is audited for what has to do with no app.
func AuditedOfAccount(action string) func(*testing.T, *Fixture, *http.Response) {
	return auditLine(action, func(fields map[string]any) bool { return fields["app"] == "" })
}

func auditLine(action string, fits func(fields map[string]any) bool) func(*testing.T, *Fixture, *http.Response) {
	return func(t *testing.T, r *Fixture, _ *http.Response) {
		t.Helper()
		for line := range bytes.Lines(r.Logged.Bytes()) {
			var fields map[string]any
			if err := json.Unmarshal(line, &fields); err != nil {
				t.Fatal(err)
			}
			whole := fields["token"] != "" && fields["from"] == "192.0.2.1" && fields["request"] != ""
			if fields["msg"] == "audit" && fields["action"] == action && fields["account"] == string(Ada.ID) &&
				whole && fits(fields) {
				return
			}
		}
		t.Errorf("no audit line of %q: %s", action, r.Logged)
	}
}
