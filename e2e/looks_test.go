package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renga/e2e"
)

// TestScriptsLookAtWhatTheyDo goes through the stories of the CLI as well.
func TestScriptsLookAtWhatTheyDo(t *testing.T) {
	for _, dir := range []string{"testdata", "heroku_cli/testdata"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Fatalf("scripts in %s: %d, %v", dir, len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range e2e.Unlooked(string(text)) {
				t.Errorf("%s:%s", file, fault)
			}
		}
	}
}

func TestUnlookedFindsWhatNothingLooksAt(t *testing.T) {
	for script, want := range map[string]string{
		"heroku ps:scale web=2\nheroku ps:scale web=1\nwaitfor containers hello -- 'web'": "1",
		"heroku ps:scale web=2\nstdout done\nheroku maintenance:on\nwaitup hello hi":      "1",
		"heroku ps:scale web=2\nheroku ps\nstdout 'web.2'":                                "",
		"heroku ps\nwaitup hello hi":                                                      "1",
		"! heroku ps:scale web=2\nheroku ps\nstdout 'web.1'":                              "1",
		"heroku ps:scale -a hello\nstdout 'web=1'":                                        "",
		"heroku rollback":              "1",
		"heroku rollback # set-up: so": "",
		"heroku rollback # set-up:":    "1",
		"# a story\napi PATCH /apps/hello '{\"a\":1}'\nstdout '^200$'":      "2",
		"api PATCH /apps/hello '{\"a\":1}'\nstdout '\"a\":1'":               "",
		"api PATCH /a '{}'\napi GET /a\nstdout '^200$'\n":                   "",
		"! api GET /apps/hello\nstdout '^403$'":                             "1",
		"! api GET /apps/hello\nstdout ^422\nstdout '(403|422)'":            "1",
		"! api GET /apps/hello\nstdout ^422\nstdout 'no such size'":         "",
		"! heroku config:set 9a=b\nstdout 9a":                               "1",
		"! heroku config:set 9a=b\nstdout 9a\nstdout invalid":               "",
		"! api GET /apps/hello\nstdout '^404$'":                             "",
		"api GET /apps/hello\nheroku ps\nstdout web":                        "1",
		"push v1 hello\nimage v2\npush v2 hello\nwaitup hello 'hello from'": "1",
		"curl hello /ill\nwaitgone $X":                                      "",
		"! curl hello /ill\nwaitgone $X":                                    "1",
		"curl hello /env?name=X\nstdout '^$'":                               "2",
		"waitfor curl hello / -- '.*'":                                      "1",
		"waitfor curl hello / -- '^red$'\n\n-- file --\nheroku rollback":    "",
		"heroku < typed certs:add a b\nheroku < typed ps:exec\nstdout ok":   "",
	} {
		var lines []string
		for _, fault := range e2e.Unlooked(script) {
			number, _, _ := strings.Cut(fault, ":")
			lines = append(lines, number)
		}
		if got := strings.Join(slices.Compact(lines), " "); got != want {
			t.Errorf("%q: faults in lines %q, want %q", script, got, want)
		}
	}
}
