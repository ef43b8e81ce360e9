package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"renga/accounts"
	"renga/store"
)

// addAccount makes an account beside the operator's. Its token, and its password
// unless that was given, are shown this once.
func addAccount(ctx context.Context, p *program, args []string) error {
	return p.withPassword(ctx, "account", args, func(a *accounts.Accounts, email, password string) error {
		_, token, err := a.Create(ctx, email, password)
		if err == nil {
			_, err = fmt.Fprintln(p.out, token)
		}
		return err
	})
}

// setPassword gives an account another password.
func setPassword(ctx context.Context, p *program, args []string) error {
	return p.withPassword(ctx, "password", args, func(a *accounts.Accounts, email, password string) error {
		return a.SetPassword(ctx, email, password)
	})
}

// withPassword runs a command that takes an email and a password: the first
// line of standard input when "-" stands behind the email, and otherwise one
// that is made up and printed.
func (p *program) withPassword(
	ctx context.Context, name string, args []string,
	do func(a *accounts.Accounts, email, password string) error,
) error {
	s, rest, err := p.parseSettings(name, args)
	if err != nil {
		return err
	}
	given := len(rest) == 2 && rest[1] == "-"
	if len(rest) != 1 && !given {
		return fmt.Errorf("usage: renga %s [settings] EMAIL [-]", name)
	}
	password := accounts.NewPassword()
	if given {
		if password, err = p.readLine(); err != nil {
			return err
		}
	}
	err = withStore(ctx, p, s, func(db *store.Store) error {
		return do(accounts.New(db, accounts.DefaultCost), rest[0], password)
	})
	if err == nil {
		err = auditCommand(s, "renga "+name, "email", rest[0])
	}
	if err == nil && !given {
		_, err = fmt.Fprintln(p.out, "password: "+password)
	}
	return err
}

func (p *program) readLine() (string, error) {
	lines := bufio.NewScanner(p.in)
	if !lines.Scan() {
		return "", errors.Join(errors.New("standard input holds no password"), lines.Err())
	}
	return strings.TrimSuffix(lines.Text(), "\r"), nil
}
