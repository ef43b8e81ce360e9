package imports

import (
	"encoding/json"
	"net/http"
	"strings"

	"renga"
)

// A notice is what another registry tells of what was pushed to it. Only the
// repository's path and the tag are taken from it: where images come from, the rule
// says, and which image the tag names, the registry is asked.

// Pushed is one tag that was pushed.
type Pushed struct {
	Repository string // its path in the registry, with or without the registry's host
	Tag        string
}

// Notice is what was told.
type Notice struct {
	// Delivery is how the sender calls it, and the same when it tells it again. Empty
	// when the sender has no name for it.
	Delivery string
	Pushed   []Pushed
}

// source is one kind of sender.
type source struct {
	// proof tells whether a request is from who knows the secret.
	proof func(r *http.Request, body []byte, secret string) bool
	// signed tells whether the proof needs the body.
	signed bool
	// inURL tells whether the sender can show the secret in its URL only.
	inURL bool
	// tokens tells whether the sender can show a signed token instead.
	tokens bool
	// nameless is of senders that tell the same words of every push.
	nameless bool
	// read reads the notice. One that tells of no tag is no error.
	read func(h http.Header, body []byte) (Notice, error)
}

// sources are the senders that are understood.
var sources = map[string]source{
	"artifact-registry": {proof: inQuery, inURL: true, tokens: true, read: readArtifactRegistry},
	"distribution":      {proof: inAuthorization, read: readDistribution},
	"docker-hub":        {proof: inQuery, inURL: true, read: readDockerHub},
	"ecr":               {proof: inAPIKey, read: readECR},
	"ghcr":              {proof: byHubSignature, signed: true, read: readGitHub},
	"gitea":             {proof: byGiteaSignature, signed: true, read: readGitea},
	"harbor":            {proof: inAuthorization, read: readHarbor},
	renga.Polled:        {proof: never},
	"quay":              {proof: inQuery, inURL: true, nameless: true, read: readQuay},
	"zot":               {proof: inAuthorization, read: readZot},
}

// readJSON reads a notice's JSON. Other fields than those that are needed may be there.
func readJSON(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return renga.Errorf(renga.Invalid, "This is no notice of that kind of registry: it is not the JSON that it sends.")
	}
	return nil
}

// tagOf splits "repository:tag"; the tag is empty if there is none.
func tagOf(reference string) (repository, tag string) {
	if i := strings.LastIndex(reference, ":"); i > strings.LastIndex(reference, "/") {
		return reference[:i], reference[i+1:]
	}
	return reference, ""
}
