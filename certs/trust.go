package certs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"renga"
)

// Trust is where a system keeps the CAs that its programs trust.
type Trust struct {
	Dir    string   // one file for each
	Update []string // the command that makes programs see a new one
	Forget []string // and the one that makes them see that one is gone
}

// SystemTrust is this machine's.
func SystemTrust() (Trust, error) {
	for _, t := range []Trust{
		{
			"/usr/local/share/ca-certificates", []string{"update-ca-certificates"},
			[]string{"update-ca-certificates", "--fresh"},
		},
		{"/etc/pki/ca-trust/source/anchors", []string{"update-ca-trust", "extract"}, []string{"update-ca-trust", "extract"}},
	} {
		if _, err := exec.LookPath(t.Update[0]); err == nil {
			return t, nil
		}
	}
	return Trust{}, renga.Errorf(renga.Invalid, "This system's set of trusted CAs is not known to Renga: install the "+
		"package ca-certificates, or give programs the file by hand.")
}

// Install makes the system trust a CA.
func (t Trust) Install(ctx context.Context, name string, ca []byte) error {
	if err := os.MkdirAll(t.Dir, 0o755); err != nil {
		return err
	}
	if err := writeFile(t.file(name), ca, 0o644); err != nil {
		return err
	}
	return run(ctx, t.Update)
}

// Uninstall undoes it. It is no error when the CA was not installed.
func (t Trust) Uninstall(ctx context.Context, name string) error {
	err := os.Remove(t.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return run(ctx, t.Forget)
}

func (t Trust) file(name string) string { return filepath.Join(t.Dir, name+".crt") }

func run(ctx context.Context, command []string) error {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s: %w\n%s", command[0], err, out)
	}
	return nil
}

// systemBundles are the files with all CAs that a system trusts, by where
// systems have them.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// WriteBundle writes the CAs that are trusted now, and this one, to one file,
// for most programs take one file only, which replaces their own. Trusted is
// the file that they use now; empty for the system's. If that is the bundle
// itself, it stays.
func WriteBundle(file, trusted string, ca []byte) error {
	if trusted == file {
		held, err := os.ReadFile(file)
		if err == nil && bytes.Contains(held, ca) {
			return nil
		}
		trusted = ""
	}
	candidates := systemBundles
	if trusted != "" {
		candidates = append([]string{trusted}, systemBundles...)
	}
	for _, candidate := range candidates {
		all, err := os.ReadFile(candidate)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		return writeFile(file, append(append(all, '\n'), ca...), 0o644)
	}
	return writeFile(file, ca, 0o644)
}
