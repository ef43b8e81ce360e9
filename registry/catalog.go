package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"

	"renga"
)

// maxCatalog is how many repositories one answer lists at the most.
const maxCatalog = 1000

// listRepositories lists the repositories that the caller may pull from, in the
// order of their names, those behind the parameter last. Pages are made of what the
// caller may see, so that neither their lengths nor their links tell of the rest.
func (r *Registry) listRepositories(w http.ResponseWriter, req *http.Request, who caller) error {
	most, err := pageSize(req.URL.Query().Get("n"))
	if err != nil {
		return err
	}
	names, err := r.repositoriesOf(req.Context(), who)
	if err != nil {
		return err
	}
	last := req.URL.Query().Get("last")
	from, there := slices.BinarySearch(names, last)
	if there {
		from++
	}
	names = names[from:]
	if len(names) > most {
		if names = names[:most]; most > 0 {
			next := url.Values{"n": {strconv.Itoa(most)}, "last": {names[most-1]}}
			w.Header().Set("Link", `</v2/_catalog?`+next.Encode()+`>; rel="next"`)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(map[string][]string{"repositories": names})
	return nil
}

// pageSize reads the parameter n.
func pageSize(n string) (int, error) {
	if n == "" {
		return maxCatalog, nil
	}
	most, err := strconv.ParseUint(n, 10, 31)
	if err != nil {
		return 0, errBadCount
	}
	return min(int(most), maxCatalog), nil
}

// repositoriesOf are the repositories of the apps that a caller may see, sorted.
func (r *Registry) repositoriesOf(ctx context.Context, who caller) ([]string, error) {
	if !who.scopes.Allow(who.needs(false)) { // the dyno manager has no scopes
		return nil, errNoCatalog
	}
	apps, err := r.dir.Apps(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, app := range apps {
		if app.Deleting || who.strange(app) || app.Permit(who.account.ID, renga.MayView) != nil {
			continue
		}
		parts, err := r.stored(app.Name)
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			names = append(names, app.Name+"/"+string(part))
		}
	}
	slices.Sort(names)
	return names, nil
}

// stored are the parts of an app's repositories that hold manifests. An upload that
// came to nothing leaves a directory, and no repository.
func (r *Registry) stored(app string) ([]renga.ProcessType, error) {
	dir := r.driver.file(repositoryDir(app))
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var parts []renga.ProcessType
	for _, e := range entries {
		part := renga.ProcessType(e.Name())
		if part != releasesPart && renga.ValidateProcessType(part) != nil {
			continue
		}
		if _, err := os.Stat(r.driver.file(revisionsDir(app + "/" + string(part)))); err == nil {
			parts = append(parts, part)
		}
	}
	return parts, nil
}
