package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"renga/certs"
)

// printCA prints the local CA's certificate, or has the system trust it, or no
// more.
func printCA(ctx context.Context, p *program, args []string) error {
	var install, uninstall bool
	s, _, err := p.parseSettings("ca", args, func(f *flag.FlagSet) {
		f.BoolVar(&install, "install", false, "make this system trust it")
		f.BoolVar(&uninstall, "uninstall", false, "undo --install")
	})
	if err != nil {
		return err
	}
	if s, err = s.asServed(); err != nil {
		return err
	}
	ca, err := localCA(s)
	switch {
	case err != nil:
		return err
	case install || uninstall:
		return p.changeTrust(ctx, s, ca, install)
	}
	_, err = p.out.Write(ca)
	return err
}

// localCA is the CA's certificate in PEM.
func localCA(s Settings) ([]byte, error) {
	if _, err := operator(s); err != nil {
		return nil, err
	}
	return os.ReadFile(s.caFile())
}

func (p *program) changeTrust(ctx context.Context, s Settings, ca []byte, install bool) error {
	trust, err := certs.SystemTrust()
	if err != nil {
		return err
	}
	name, done := "renga-"+s.Domain, "This system trusts the local CA now. `renga ca --uninstall` undoes it."
	if install {
		err = trust.Install(ctx, name, ca)
	} else {
		err = trust.Uninstall(ctx, name)
		done = "This system does not trust the local CA any more."
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run this as root", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.out, done)
	return err
}
