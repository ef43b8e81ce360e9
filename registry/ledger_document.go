package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"renga"
)

// ledgerFormat is the version of the sealed document that this program writes.
// A program reads its own and older ones.
const ledgerFormat = 1

// ledgerMaxDocument bounds a document, in bytes: the registry's storage reads
// no small blob of more than 4 MiB.
const ledgerMaxDocument = 2 << 20

// ledgerDocument is a release in the form in which it is sealed. It is a type
// of its own, so that no change of the nouns or the API changes what is stored
// for ever.
type ledgerDocument struct {
	Format      int                       `json:"format"`
	App         ledgerApp                 `json:"app"`
	Version     int                       `json:"version"`
	Previous    string                    `json:"previous,omitempty"`
	Description string                    `json:"description"`
	By          string                    `json:"by"`
	PushID      string                    `json:"push_id,omitempty"`
	CreatedAt   time.Time                 `json:"created_at"` // UTC, with nanoseconds
	Images      map[string]ledgerDocImage `json:"images,omitempty"`
	Vars        map[string]string         `json:"vars,omitempty"`
	Credentials map[string]ledgerDocLayer `json:"credentials,omitempty"` // by add-on id
}

type ledgerDocLayer struct {
	Plan    string            `json:"plan"`
	Version int               `json:"version"`
	Vars    map[string]string `json:"vars"`
	Mounts  []ledgerDocMount  `json:"mounts,omitempty"`
}

type ledgerDocMount struct {
	Volume string              `json:"volume"`
	Path   string              `json:"path"`
	Types  []renga.ProcessType `json:"types"`
	Shared bool                `json:"shared,omitempty"`
}

type ledgerApp struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type ledgerDocImage struct {
	Repository string   `json:"repository"`
	Digest     string   `json:"digest"`
	Pushed     string   `json:"pushed,omitempty"`
	Config     string   `json:"config,omitempty"`
	Command    []string `json:"command"`
	Size       int64    `json:"size"`
}

// marshalLedgerDocument writes the release's document. It leaves out the
// digest, which depends on the document.
func marshalLedgerDocument(r renga.Release) ([]byte, error) {
	if err := ledgerPlainText(r); err != nil {
		return nil, err
	}
	doc := ledgerDocument{
		Format: ledgerFormat, App: ledgerApp{ID: string(r.App), Name: r.AppName},
		Version: r.Version, Previous: r.Previous, Description: r.Description,
		By: string(r.By), PushID: r.PushID, CreatedAt: r.CreatedAt.UTC(),
		Images: map[string]ledgerDocImage{}, Vars: r.Inputs.Vars, Credentials: map[string]ledgerDocLayer{},
	}
	for t, img := range r.Inputs.Images {
		doc.Images[string(t)] = ledgerDocImage(img)
	}
	for id, layer := range r.Inputs.Credentials {
		doc.Credentials[string(id)] = newLedgerDocLayer(layer)
	}
	content, err := json.Marshal(doc)
	if err == nil && len(content) > ledgerMaxDocument {
		err = renga.Errorf(renga.Invalid, "A release must not hold more than %d bytes of config vars, credentials and "+
			"commands; this one would hold %d.", ledgerMaxDocument, len(content))
	}
	return content, err
}

// parseLedgerDocument is the reverse of marshalLedgerDocument. Its errors quote nothing of
// the content.
func parseLedgerDocument(content []byte) (renga.Release, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return renga.Release{}, flawf("the sealed document is no JSON")
	}
	if head.Format < 1 || head.Format > ledgerFormat {
		return renga.Release{}, flawf("the sealed document has format %d and this Renga reads up to %d; run a newer one",
			head.Format, ledgerFormat)
	}
	var doc ledgerDocument
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&doc); err != nil {
		return renga.Release{}, flawf("the sealed document does not have the fields of format %d", head.Format)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return renga.Release{}, flawf("the sealed document goes on after its end")
	}
	return doc.release(), nil
}

// release is the document in the platform's words. Its maps are never nil.
func (doc ledgerDocument) release() renga.Release {
	in := renga.Inputs{
		Images: map[renga.ProcessType]renga.Image{}, Vars: renga.Vars{}, Credentials: map[renga.AddOnID]renga.Credentials{},
	}
	for t, img := range doc.Images {
		in.Images[renga.ProcessType(t)] = renga.Image(img)
	}
	if doc.Vars != nil {
		in.Vars = doc.Vars
	}
	for id, layer := range doc.Credentials {
		in.Credentials[renga.AddOnID(id)] = layer.credentials()
	}
	return renga.Release{
		App: renga.AppID(doc.App.ID), AppName: doc.App.Name, Version: doc.Version, Inputs: in,
		Description: doc.Description, By: renga.AccountID(doc.By), PushID: doc.PushID,
		CreatedAt: doc.CreatedAt.UTC(), Previous: doc.Previous,
	}
}

func newLedgerDocLayer(c renga.Credentials) ledgerDocLayer {
	layer := ledgerDocLayer{Plan: c.Plan, Version: c.Version, Vars: c.Vars}
	for _, m := range c.Mounts {
		layer.Mounts = append(layer.Mounts, ledgerDocMount(m))
	}
	return layer
}

func (layer ledgerDocLayer) credentials() renga.Credentials {
	c := renga.Credentials{Plan: layer.Plan, Version: layer.Version, Vars: layer.Vars}
	for _, m := range layer.Mounts {
		c.Mounts = append(c.Mounts, renga.Mount(m))
	}
	return c
}

// ledgerPlainText refuses text that JSON would silently replace.
func ledgerPlainText(r renga.Release) error {
	for name, value := range r.Env() {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return renga.Errorf(renga.Invalid,
				"The value of config var %q is not valid UTF-8. Encode it, for instance in base64.", name)
		}
	}
	for t, img := range r.Inputs.Images {
		for _, arg := range img.Command {
			if !utf8.ValidString(arg) {
				return renga.Errorf(renga.Invalid, "The command of process type %s is not valid UTF-8.", t)
			}
		}
	}
	if !utf8.ValidString(r.Description) {
		return renga.Errorf(renga.Invalid, "The description of a release must be valid UTF-8.")
	}
	return nil
}

// ledgerBinding is the associated data of a document: its type, app, version
// and the digest before. So a document that was put elsewhere does not open.
func ledgerBinding(x ledgerIndex) []byte {
	return fmt.Appendf(nil, "%s\napp=%q\nversion=%d\nprevious=%s\n", ledgerArtifactType, x.App, x.Version, x.Previous)
}
