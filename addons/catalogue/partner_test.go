package catalogue_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renga/addons/catalogue"
)

const partnered = `service: errorbucket
name: Errorbucket
description: Keeps errors.
provider: partner
attachment: ERRORBUCKET
plans: [{name: test}]
partner:
  base_url: https://errorbucket.example/
  sso_url: https://errorbucket.example/sso/login
  secrets: /etc/renga/errorbucket.json
`

func check(t *testing.T, text string) (catalogue.Service, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return catalogue.Check(name)
}

func TestAPartnersServiceIsAFile(t *testing.T) {
	s, err := check(t, partnered)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Partner.Resources(); got != "https://errorbucket.example/heroku/resources" {
		t.Errorf("its add-ons are at %s", got)
	}
	s.Partner.BaseURL = "https://errorbucket.example/heroku/resources/"
	if got := s.Partner.Resources(); got != "https://errorbucket.example/heroku/resources" {
		t.Errorf("its add-ons are at %s", got)
	}
}

func TestMistakesInAPartnersFile(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"https://errorbucket.example/\n", "http://errorbucket.example/\n"}:  ":8: base_url: say where the partner answers",
		{"https://errorbucket.example/\n", "https://me:x@errorbucket.ex/\n"}: ":8: base_url: say where the partner answers",
		{"https://errorbucket.example/sso/login", "javascript:x"}:            ":9: sso_url: say where people are sent",
		{"/etc/renga/", "etc/"}:   ":10: secrets: name a file by its whole path",
		{"secrets:", "password:"}: `:10: there is no field "password" here; there are base_url, sso_url, secrets`,
		{"provider: partner", "provider: partner\nconfig: {URL: x}"}:            ":5: config: the partner says",
		{"provider: partner", "provider: partner\nimage: redis:7"}:              ":5: image: nothing of the service runs",
		{"{name: test}", "{name: test}, {name: big, provider: disk, disk: 1G}"}: ":6: plans: \"big\" is not the partner's",
		{"provider: partner", "provider: disk\nvolume: /data"}:                  ": partner: no plan has `provider: partner`",
	} {
		text := strings.Replace(partnered, change[0], change[1], 1)
		if _, err := check(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q for %q: %v; want %q", change[1], change[0], err, want)
		}
	}
}
