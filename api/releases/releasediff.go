package releases

import (
	"net/http"

	"renga"
	"renga/api/wire"
)

// releaseDiff is what differs between two releases. It is no resource of
// Heroku's.
type releaseDiff struct {
	From       *string    `json:"from"` // null before the first release
	To         string     `json:"to"`
	Images     imageDiff  `json:"images"`
	ConfigVars nameDiff   `json:"config_vars"`
	Values     *valueDiff `json:"values,omitempty"` // only when asked for
}

// imageDiff holds digests by process type.
type imageDiff struct {
	Added   map[string]string `json:"added"`
	Changed map[string]change `json:"changed"`
	Removed map[string]string `json:"removed"`
}

type change struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type nameDiff struct {
	Added   []string `json:"added"`
	Changed []string `json:"changed"`
	Removed []string `json:"removed"`
}

// valueDiff holds config vars with their values.
type valueDiff imageDiff

// diffReleases compares a release with another one, "?against=v3", or with the
// one before it.
func (s *Server) diffReleases(w http.ResponseWriter, r *http.Request) error {
	a, version, err := s.releaseOf(r)
	if err != nil {
		return err
	}
	values := r.URL.Query().Get("values") == "true"
	if values {
		if err := s.Also(r, wire.ReadingSecrets); err != nil {
			return err
		}
	}
	against := version - 1
	if asked := r.URL.Query().Get("against"); asked != "" {
		if against, err = s.VersionOf(r.Context(), a.ID, asked); err != nil {
			return err
		}
	}
	from, err := s.inputs(r, a, against)
	if err != nil {
		return err
	}
	to, err := s.inputs(r, a, version)
	if err != nil {
		return err
	}
	diff := newReleaseDiff(from, to, values)
	diff.To = renga.VersionName(version)
	if against > 0 {
		name := renga.VersionName(against)
		diff.From = &name
	}
	return wire.Answer(w, http.StatusOK, diff)
}

// inputs opens a release. Version 0, before the first, has none.
func (s *Server) inputs(r *http.Request, a renga.App, version int) (renga.Inputs, error) {
	if version == 0 {
		return renga.Inputs{}, nil
	}
	rel, err := s.parts.Releaser.Open(r.Context(), a, version)
	return rel.Inputs, wire.OrNotFound(err, "release")
}

func newReleaseDiff(from, to renga.Inputs, withValues bool) releaseDiff {
	vars := compare(from.Vars, to.Vars)
	diff := releaseDiff{
		Images: compare(digests(from.Images), digests(to.Images)),
		ConfigVars: nameDiff{
			Added: wire.Names(vars.Added), Changed: wire.Names(vars.Changed), Removed: wire.Names(vars.Removed),
		},
	}
	if withValues {
		diff.Values = (*valueDiff)(&vars)
	}
	return diff
}

// compare sorts what is in either of two maps into added, changed and removed.
func compare(from, to map[string]string) imageDiff {
	diff := imageDiff{Added: map[string]string{}, Changed: map[string]change{}, Removed: map[string]string{}}
	for name, is := range to {
		old, was := from[name]
		switch {
		case !was:
			diff.Added[name] = is
		case old != is:
			diff.Changed[name] = change{From: old, To: is}
		}
	}
	for name, old := range from {
		if _, kept := to[name]; !kept {
			diff.Removed[name] = old
		}
	}
	return diff
}
