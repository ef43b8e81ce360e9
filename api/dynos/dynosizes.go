package dynos

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) dynoSizeRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/dyno-sizes", wire.AnyToken, s.listDynoSizes),
		wire.Get("/dyno-sizes/{size}", wire.AnyToken, s.dynoSizeInfo),
		wire.Get("/apps/{app}/available-dyno-sizes", wire.Looking, s.listDynoSizes), // every size is available to every app
	}
}

// dynoSize is a dyno size as JSON.
type dynoSize struct {
	Architecture     string      `json:"architecture"`
	Compute          int         `json:"compute"` // processors, rounded up
	Cost             *wire.Empty `json:"cost"`
	Dedicated        bool        `json:"dedicated"`
	DynoUnits        int         `json:"dyno_units"` // the next field's name in the schema up to version 5
	PreciseDynoUnits float64     `json:"precise_dyno_units"`
	Generation       wire.Ref    `json:"generation"`
	ID               string      `json:"id"`
	Memory           float64     `json:"memory"` // GB, as powers of two
	Name             string      `json:"name"`
	PrivateSpaceOnly bool        `json:"private_space_only"`
}

func newDynoSize(size renga.Size) dynoSize {
	return dynoSize{
		Architecture: runtime.GOARCH, Generation: wire.GenerationRef(),
		Compute: int(math.Ceil(size.CPUs)),
		ID:      sizeID(size.Name),
		Memory:  float64(size.MemoryBytes) / (1 << 30),
		Name:    shownSize(size.Name),
	}
}

func sizeID(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("renga:dyno-size:"+name)).String()
}

func sizeRef(name string) wire.Ref { return wire.Ref{ID: sizeID(name), Name: shownSize(name)} }

// sizeAsked is a size as clients of version 6 of the schema send it, by its name or
// its id.
type sizeAsked struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// sizeOf finds the size that a request has in either form; empty when it has none.
func (s *Server) sizeOf(size *string, asked *sizeAsked) (string, error) {
	var names []string
	if size != nil {
		names = append(names, *size)
	}
	if asked != nil && asked.Name != "" {
		names = append(names, asked.Name)
	}
	if asked != nil && asked.ID != "" {
		names = append(names, s.sizeByID(asked.ID))
	}
	if asked != nil && asked.ID == "" && asked.Name == "" {
		return "", wire.Invalid("Field \"dyno_size\" must have the name of a size, or its id.")
	}
	found := ""
	for _, name := range names {
		one, err := s.sizeNamed(name)
		if err != nil {
			return "", err
		}
		if found != "" && found != one {
			return "", wire.Invalid("The request names two sizes, %s and %s.", shownSize(found), shownSize(one))
		}
		found = one
	}
	return found, nil
}

// sizeByID gives the name of the size with that id, or the id itself, which is the
// name of no size.
func (s *Server) sizeByID(id string) string {
	for _, size := range s.sizes() {
		if strings.EqualFold(sizeID(size.Name), id) {
			return size.Name
		}
	}
	return id
}

// shownSize writes a size's name as Heroku does: "standard-1x" is "Standard-1X",
// "performance-l" is "Performance-L".
func shownSize(name string) string {
	head, tail, dashed := strings.Cut(name, "-")
	if head != "" {
		head = strings.ToUpper(head[:1]) + head[1:]
	}
	if !dashed {
		return head
	}
	return head + "-" + strings.ToUpper(tail)
}

// sizeNamed finds a size by its name in upper or lower case.
func (s *Server) sizeNamed(name string) (string, error) {
	lower := strings.ToLower(name)
	if _, ok := s.parts.Sizes[lower]; !ok {
		return "", wire.Invalid(
			"Couldn't find that dyno size: %q. The sizes are %s.", wire.Clip(name), strings.Join(s.sizeNames(), ", "),
		)
	}
	return lower, nil
}

// sizes lists the sizes, the smallest first.
func (s *Server) sizes() []renga.Size {
	return slices.SortedFunc(maps.Values(s.parts.Sizes), func(a, b renga.Size) int {
		return cmp.Or(cmp.Compare(a.MemoryBytes, b.MemoryBytes), cmp.Compare(a.Name, b.Name))
	})
}

func (s *Server) sizeNames() []string {
	var all []string
	for _, size := range s.sizes() {
		all = append(all, shownSize(size.Name))
	}
	return all
}

func (s *Server) listDynoSizes(w http.ResponseWriter, r *http.Request) error {
	all := make([]dynoSize, 0, len(s.parts.Sizes))
	for _, size := range s.sizes() {
		all = append(all, newDynoSize(size))
	}
	return wire.List(w, r, all,
		wire.By("name", func(d dynoSize) string { return d.Name }),
		wire.By("id", func(d dynoSize) string { return d.ID }))
}

func (s *Server) dynoSizeInfo(w http.ResponseWriter, r *http.Request) error {
	asked := mux.Vars(r)["size"]
	for _, size := range s.sizes() {
		if shown := newDynoSize(size); shown.ID == asked || strings.EqualFold(shown.Name, asked) {
			return wire.Answer(w, http.StatusOK, shown)
		}
	}
	return wire.NotFound("dyno size")
}
