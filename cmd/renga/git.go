package main

import (
	"fmt"
	"os"
	"time"

	"renga"
	"renga/accounts"
	"renga/builds"
	"renga/git"
	"renga/releaser"
)

// newGit makes what takes pushes with git.
func (b base) newGit(rel *releaser.Releaser, builder *builds.Builds) (*git.Git, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, which is git's hook: %w", err)
	}
	s := b.settings
	return git.New(git.Options{
		Dir:          s.path("git"),
		Hook:         self,
		MaxBytes:     s.MaxRepositorySize,
		CheckSpace:   func() error { return s.checkSpace(0) },
		CreateOnPush: s.CreateOnPush,
		URL:          func(app renga.App) string { return s.wire().WebURL(app.Name) },
		Log:          b.log,
	}, directory{b.db, accounts.NewTokens(b.db, time.Now)}, rel, builder)
}
