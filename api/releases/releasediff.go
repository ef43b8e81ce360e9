package releases

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"renga"
	"renga/api/wire"
)

// releaseDiff is the difference between two releases. Heroku has no such resource.
type releaseDiff struct {
	From       *string   `json:"from"` // null before the first release
	To         string    `json:"to"`
	Images     imageDiff `json:"images"`
	ConfigVars nameDiff  `json:"config_vars"`
	// Credentials are those of add-ons, of which no value is ever shown.
	Credentials []credentialDiff `json:"credentials"`
	Values      *valueDiff       `json:"values,omitempty"` // null unless the request asks for it
}

// credentialDiff is what differs in an add-on's credentials.
type credentialDiff struct {
	AddOn      addOnRef `json:"addon"`
	Plan       string   `json:"plan"`
	From       *int     `json:"from"` // the version; null before the app had any
	To         *int     `json:"to"`   // null once it has none any more
	ConfigVars nameDiff `json:"config_vars"`
}

type addOnRef struct {
	ID   string  `json:"id"`
	Name *string `json:"name"` // null for one that is gone
}

// imageDiff has digests by process type.
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

// valueDiff has config vars with their values.
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
		if err := s.AlsoRequire(r, wire.ReadingSecrets); err != nil {
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
	if diff.Credentials, err = s.diffCredentials(r.Context(), from.Credentials, to.Credentials); err != nil {
		return err
	}
	if against > 0 {
		name := renga.VersionName(against)
		diff.From = &name
	}
	return wire.Answer(w, http.StatusOK, diff)
}

// inputs gives the inputs of a release. Version 0, before the first, has none.
func (s *Server) inputs(r *http.Request, a renga.App, version int) (renga.Inputs, error) {
	if version == 0 {
		return renga.Inputs{}, nil
	}
	rel, err := s.parts.Releaser.Open(r.Context(), a, version)
	return rel.Inputs, wire.OrNotFound(err, "release")
}

func newReleaseDiff(from, to renga.Inputs, withValues bool) releaseDiff {
	vars := compare(from.Vars, to.Vars)
	diff := releaseDiff{Images: compare(digests(from.Images), digests(to.Images)), ConfigVars: vars.names()}
	if withValues {
		diff.Values = (*valueDiff)(&vars)
	}
	return diff
}

// names are those of what differs.
func (d imageDiff) names() nameDiff {
	return nameDiff{Added: wire.Names(d.Added), Changed: wire.Names(d.Changed), Removed: wire.Names(d.Removed)}
}

// diffCredentials says which add-ons' credentials differ, in order of the add-ons'
// ids.
func (s *Server) diffCredentials(ctx context.Context, from, to map[renga.AddOnID]renga.Credentials) (
	[]credentialDiff, error) {
	both := maps.Clone(from)
	if both == nil {
		both = map[renga.AddOnID]renga.Credentials{}
	}
	maps.Copy(both, to)
	all := []credentialDiff{}
	for _, id := range slices.Sorted(maps.Keys(both)) {
		was, had := from[id]
		is, has := to[id]
		if had && has && was.Equal(is) {
			continue
		}
		name, err := s.parts.AddOnName(ctx, id)
		if err != nil {
			return nil, err
		}
		d := credentialDiff{
			AddOn: addOnRef{ID: string(id), Name: wire.OrNull(name)}, Plan: both[id].Plan,
			ConfigVars: compare(was.Vars, is.Vars).names(),
		}
		if had {
			d.From = &was.Version
		}
		if has {
			d.To = &is.Version
		}
		all = append(all, d)
	}
	return all, nil
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
