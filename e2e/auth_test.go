package e2e_test

import "github.com/google/go-containerregistry/pkg/authn"

// bearer logs in with an API token, as docker login does.
func bearer(token string) authn.Authenticator {
	return &authn.Basic{Username: "renga", Password: token}
}
