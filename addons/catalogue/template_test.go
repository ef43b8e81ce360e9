package catalogue_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"renga"
	"renga/addons/catalogue"
)

func TestTemplatesAreFilledIn(t *testing.T) {
	d := data()
	for text, want := range map[string]string{
		"":                                     "",
		"plain {not a place}":                  "plain {not a place}",
		"{{.User}}:{{.Password}}@{{.Host}}":    "u1:secret@db.internal",
		"{{add .Port 1}}":                      "5433",
		"{{div .MemoryMB 4}}MB":                "128MB",
		"{{add 10 (mul 2 .Connections)}}":      "50",
		"{{if .Connections}}a{{else}}b{{end}}": "a",
		`{{if eq .Version "15"}}a{{end}}`:      "a",
		`{{if ge .MemoryMB 1024}}a{{else if ge .MemoryMB 512}}b{{end}}`: "b",
	} {
		made, err := catalogue.NewTemplate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got, err := made.Render(d); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestTemplatesHoldLittle(t *testing.T) {
	for text, want := range map[string]string{
		"\n\n{{.Pasword}}": "line 3: there is no {{.Pasword}}; there are ID, Name, Host, ",
		"{{if eq .Version \"9\"}}\n{{.Nothing}}{{end}}": "line 2: there is no {{.Nothing}}; there are ",
		"a\n{{.User":                     "line 2: ",
		"{{secret .User}}":               `line 1: function "secret" not defined`,
		"{{.}}":                          "line 1: .: templates have only {{.Field}}, {{if}}, and, or, ",
		"{{$}}":                          "line 1: $: templates have only",
		"{{printf \"%v\" $}}":            "line 1: printf: templates have only",
		"{{.String}}":                    "line 1: there is no {{.String}}",
		"{{.User.Name}}":                 "line 1: there is no {{.User.Name}}",
		"{{$p := .Password}}{{$p}}":      "line 1: $p := .Password: templates have only",
		"{{with .Password}}{{.}}{{end}}": "templates have only",
		"{{range 1000000000}}{{end}}":    "templates have only",
		"{{(add 1 2).Foo}}":              "templates have only",
		`{{template "t" .}}`:             "templates have only",
		`{{define "x"}}{{.}}{{end}}`:     "line 1: a template may not define others",
		"{{call .User}}":                 "line 1: call: templates have only",
		"{{nil}}":                        "nil",
	} {
		if _, err := catalogue.NewTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", text, err, want)
		}
	}
}

// A database's name, for instance, is put between quotes in SQL, in a shell's script
// and in a URL: no value may end them.
func TestValuesThatCouldEndQuotesAreRefused(t *testing.T) {
	made, err := catalogue.NewTemplate("ALTER ROLE {{.User}} PASSWORD '{{.Password}}' {{if .Admin}}{{div .Port 0}}{{end}}")
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"'", "\"", "\n", "\\", "$x", ";", "`", "\x00", "@", " ", "ü"} {
		bad := "marker" + end
		d := data()
		d.Password = bad
		_, err := made.Render(d)
		if err == nil || !strings.Contains(err.Error(), "{{.Password}}") || strings.Contains(err.Error(), "mark") {
			t.Errorf("password %q: %v; want an error that names the field and not its value", bad, err)
		}
	}
	d := data()
	d.Admin = "marker"
	if _, err := made.Render(d); err == nil || strings.Contains(err.Error(), "marker") {
		t.Errorf("a template that cannot be filled in: %v; want an error without values", err)
	}
}

func TestDataDoNotPrint(t *testing.T) {
	var log strings.Builder
	d := data()
	slog.New(slog.NewTextHandler(&log, nil)).Info("rendered", "data", d)
	for _, printed := range []string{fmt.Sprint(d), fmt.Sprintf("%+v", d), fmt.Sprintf("%#v", d), log.String()} {
		if strings.Contains(printed, "secret") {
			t.Errorf("printed: %s", printed)
		}
	}
}

func TestDataOfAnAddOn(t *testing.T) {
	s := catalogue.Service{Name: "heroku-postgresql", Version: "17", Port: 5432}
	a := renga.AddOn{
		ID: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", Name: "postgresql-curved-1", Host: "postgresql-curved-1.internal",
		Admin: "root", Options: map[string]string{"version": "15"},
	}
	got := s.Data(a, catalogue.Plan{Memory: 512 << 20, Disk: 1 << 30, Connections: 20}).
		With(renga.Credential{User: "u1", Password: "secret"})
	want := catalogue.Data{
		ID: string(a.ID), Name: a.Name, Host: a.Host, Database: "d0f1e2d3c4b5a6", Port: 5432, Admin: "root", User: "u1",
		Password: "secret", Version: "15", MemoryBytes: 512 << 20, MemoryMB: 512, DiskBytes: 1 << 30, Connections: 20,
	}
	if got != want {
		t.Errorf("the data are %+v, not %+v", struct{ catalogue.Data }{got}, struct{ catalogue.Data }{want})
	}
}

func data() catalogue.Data {
	return catalogue.Data{
		ID: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", Host: "db.internal", Database: "d0f1e2d3c4b5a6", Port: 5432,
		User: "u1", Password: "secret", Version: "15", MemoryMB: 512, Connections: 20,
	}
}
