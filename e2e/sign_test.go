package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"renga/e2e"
	"renga/registry/cosigntest"
)

// signing has the words of scripts that sign images:
//
//	key NAME                       make a key; $NAME is the public one in PEM, as JSON has it
//	sign NAME REPOSITORY DIGEST    store its signature of an image, as cosign does
func signing() map[string]e2e.Word {
	keys := &sync.Map{} // of all scripts, by the public one in PEM
	return map[string]e2e.Word{
		"key": func(_ context.Context, s *e2e.Script, _ io.Writer, args []string) error {
			if len(args) != 1 {
				return errors.New("usage: key NAME")
			}
			k := cosigntest.NewKey()
			public := strings.ReplaceAll(k.Public, "\n", `\n`)
			keys.Store(public, k)
			s.Setenv(args[0], public)
			return nil
		},
		"sign": func(ctx context.Context, s *e2e.Script, _ io.Writer, args []string) error {
			if len(args) != 3 {
				return errors.New("usage: sign NAME REPOSITORY DIGEST")
			}
			k, made := keys.Load(s.Getenv(args[0]))
			if !made {
				return fmt.Errorf("no key %s was made", args[0])
			}
			repository, dgst := args[1], args[2]
			img, err := cosigntest.Image(k.(cosigntest.Key).Of(s.Platform.Registry()+"/"+repository, dgst))
			if err != nil {
				return err
			}
			return s.Platform.PushImage(ctx, repository+":"+cosigntest.Tag(dgst), img)
		},
	}
}
