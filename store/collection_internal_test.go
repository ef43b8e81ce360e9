package store

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

type labelled struct {
	Label string `json:"label"`
}

func TestShelfChangesAreOnlyWhatChanged(t *testing.T) {
	before := map[string]string{"a": `{"label":"salt"}`, "b": `{"label":"sugar"}`, "c": `{"label":"tea"}`}
	after := map[string]labelled{"a": {"salt"}, "b": {"honey"}, "d": {"rice"}}
	set, remove := collectionChanges(before, after)
	if got := slices.Sorted(maps.Keys(set)); !slices.Equal(got, []string{"b", "d"}) {
		t.Errorf("written are %v, want b and d", got)
	}
	if !slices.Equal(remove, []string{"c"}) {
		t.Errorf("removed are %v, want c", remove)
	}
}

func TestADamagedRecordIsNamed(t *testing.T) {
	if _, err := decodeCollection[labelled]("jars", map[string]string{"a": "{"}); err == nil ||
		!strings.Contains(err.Error(), "jars a") {
		t.Errorf("error is %v, want one that names the record", err)
	}
}

// prefixing seals by what it binds to: base64 hides the rest from a glance.
type prefixing struct{}

func (prefixing) Seal(plain, associated []byte) ([]byte, error) {
	return append(slices.Clone(associated), plain...), nil
}

func (prefixing) Open(sealed, associated []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, associated)
	if !ok {
		return nil, errors.New("bound to something else")
	}
	return plain, nil
}

func TestASecretOpensOnlyInItsPlace(t *testing.T) {
	s := &Store{seals: prefixing{}}
	sealed, err := s.seal("hook 1", "s3cret")
	if err != nil || strings.Contains(sealed, "s3cret") {
		t.Fatalf("sealed is %q, %v", sealed, err)
	}
	if secret, err := s.unseal("hook 1", sealed); err != nil || secret != "s3cret" {
		t.Errorf("opened is %q, %v", secret, err)
	}
	if _, err := s.unseal("hook 2", sealed); err == nil {
		t.Error("the secret opened for another record")
	}
	if _, err := (&Store{}).seal("hook 1", "s3cret"); !errors.Is(err, errNoSealer) {
		t.Errorf("without a key the error is %v", err)
	}
}
