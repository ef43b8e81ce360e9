package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func testSettings(t *testing.T) Settings {
	t.Helper()
	s, err := parse(t, nil, "--data", filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheDataDirectoryKeepsItsIdentity(t *testing.T) {
	s := testSettings(t)
	first, err := openData(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.adopted(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := openData(s)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLogged(newLogger(s), "data", second.Close)
	sameSecret := string(second.secret) == string(first.secret)
	if second.platform.ID != first.platform.ID || second.operator != first.operator || !sameSecret || !second.platform.Adopted {
		t.Error("a second start found something else")
	}
	for _, name := range []string{"operator.json", "keys/upload.json", "platform.json"} {
		info, err := os.Stat(s.path(name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, err %v", name, info.Mode(), err)
		}
	}
}

func TestASecondRengaOnTheSameDirectoryIsRefused(t *testing.T) {
	s := testSettings(t)
	first, err := openData(s)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLogged(newLogger(s), "data", first.Close)
	if _, err := openData(s); err == nil || !strings.Contains(err.Error(), "another Renga runs") {
		t.Errorf("err %v", err)
	}
}

func TestDirectoriesThatCannotServeAreRefusedWithAReason(t *testing.T) {
	newer := testSettings(t)
	if err := writeJSON(newer.path("platform.json"), platformFile{ID: "x", Version: dataVersion + 1}); err != nil {
		t.Fatal(err)
	}
	damaged := testSettings(t)
	if err := os.MkdirAll(damaged.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged.path("platform.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := testSettings(t)
	if err := os.WriteFile(file.Data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]Settings{"newer Renga": newer, "damaged": damaged, "cannot be written": file} {
		if _, err := openData(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("err %v, want %q", err, want)
		}
	}
}

func TestTheTokenIsForTheOneWhoHasTheData(t *testing.T) {
	s := testSettings(t)
	if _, err := operator(s); err == nil || !strings.Contains(err.Error(), "no platform has been started") {
		t.Errorf("before the first start: %v", err)
	}
	d, err := openData(s)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLogged(newLogger(s), "data", d.Close)
	if o, err := operator(s); err != nil || len(o.Token) != 64 {
		t.Errorf("token of %d characters, err %v", len(o.Token), err)
	}
}
