package api

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
)

func (s *Server) dynoSizeRoutes() []route {
	return []route{
		{"GET", "/dyno-sizes", s.listDynoSizes},
		{"GET", "/dyno-sizes/{size}", s.dynoSizeInfo},
	}
}

// dynoSize is a dyno size on the wire.
type dynoSize struct {
	Compute          int     `json:"compute"` // processors, rounded up
	Cost             *empty  `json:"cost"`
	Dedicated        bool    `json:"dedicated"`
	DynoUnits        int     `json:"dyno_units"`
	ID               string  `json:"id"`
	Memory           float64 `json:"memory"` // GB, as powers of two
	Name             string  `json:"name"`
	PrivateSpaceOnly bool    `json:"private_space_only"`
}

func newDynoSize(size renga.Size) dynoSize {
	return dynoSize{
		Compute: int(math.Ceil(size.CPUs)),
		ID:      uuid.NewSHA1(uuid.NameSpaceURL, []byte("renga:dyno-size:"+size.Name)).String(),
		Memory:  float64(size.MemoryBytes) / (1 << 30),
		Name:    sizeOnWire(size.Name),
	}
}

// sizeOnWire writes a size's name as Heroku does: "standard-1x" is
// "Standard-1X", "performance-l" is "Performance-L".
func sizeOnWire(name string) string {
	head, tail, dashed := strings.Cut(name, "-")
	if head != "" {
		head = strings.ToUpper(head[:1]) + head[1:]
	}
	if !dashed {
		return head
	}
	return head + "-" + strings.ToUpper(tail)
}

// sizeNamed finds a size by its name in any case.
func (s *Server) sizeNamed(name string) (string, error) {
	lower := strings.ToLower(name)
	if _, ok := s.options.Sizes[lower]; !ok {
		return "", invalid("Couldn't find that dyno size: %q. The sizes are %s.", clip(name), strings.Join(s.sizeNames(), ", "))
	}
	return lower, nil
}

// sizes lists the sizes, small ones first.
func (s *Server) sizes() []renga.Size {
	return slices.SortedFunc(maps.Values(s.options.Sizes), func(a, b renga.Size) int {
		return cmp.Or(cmp.Compare(a.MemoryBytes, b.MemoryBytes), cmp.Compare(a.Name, b.Name))
	})
}

func (s *Server) sizeNames() []string {
	var all []string
	for _, size := range s.sizes() {
		all = append(all, sizeOnWire(size.Name))
	}
	return all
}

func (s *Server) listDynoSizes(w http.ResponseWriter, r *http.Request) error {
	all := make([]dynoSize, 0, len(s.options.Sizes))
	for _, size := range s.sizes() {
		all = append(all, newDynoSize(size))
	}
	return list(w, r, all,
		by("name", func(d dynoSize) string { return d.Name }),
		by("id", func(d dynoSize) string { return d.ID }))
}

func (s *Server) dynoSizeInfo(w http.ResponseWriter, r *http.Request) error {
	asked := mux.Vars(r)["size"]
	for _, size := range s.sizes() {
		if wire := newDynoSize(size); wire.ID == asked || strings.EqualFold(wire.Name, asked) {
			return answer(w, http.StatusOK, wire)
		}
	}
	return notFound("dyno size")
}
