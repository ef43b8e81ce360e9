package apps

import (
	"net/http"

	"github.com/gorilla/mux"

	"renga/api/wire"
)

func (s *Server) stackRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/stacks", wire.AnyToken, listStacks),
		wire.Get("/stacks/{stack}", wire.AnyToken, stackInfo),
		wire.Get("/apps/{app}/available-stacks", wire.Looking, listStacks),
		wire.Get("/generations", wire.AnyToken, listGenerations),
		wire.Get("/generations/{generation}", wire.AnyToken, generationInfo),
	}
}

// stack is a stack as JSON.
type stack struct {
	CreatedAt string `json:"created_at"`
	Default   bool   `json:"default"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	State     string `json:"state"`
	UpdatedAt string `json:"updated_at"`
}

func newStack() stack {
	return stack{
		CreatedAt: createdAt, Default: true, ID: wire.StackID, Name: wire.StackName, State: "public",
		UpdatedAt: createdAt,
	}
}

func listStacks(w http.ResponseWriter, r *http.Request) error {
	return wire.List(w, r, []stack{newStack()},
		wire.By("id", func(x stack) string { return x.ID }),
		wire.By("name", func(x stack) string { return x.Name }))
}

func stackInfo(w http.ResponseWriter, r *http.Request) error {
	if asked := mux.Vars(r)["stack"]; asked != wire.StackID && asked != wire.StackName {
		return wire.NotFound("stack")
	}
	return wire.Answer(w, http.StatusOK, newStack())
}

// generation is a generation of the platform as JSON.
type generation struct {
	CreatedAt string `json:"created_at"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	UpdatedAt string `json:"updated_at"`
}

func newGeneration() generation {
	the := wire.GenerationRef()
	return generation{CreatedAt: createdAt, ID: the.ID, Name: the.Name, UpdatedAt: createdAt}
}

func listGenerations(w http.ResponseWriter, r *http.Request) error {
	return wire.List(w, r, []generation{newGeneration()},
		wire.By("id", func(x generation) string { return x.ID }),
		wire.By("name", func(x generation) string { return x.Name }))
}

func generationInfo(w http.ResponseWriter, r *http.Request) error {
	the := newGeneration()
	if asked := mux.Vars(r)["generation"]; asked != the.ID && asked != the.Name {
		return wire.NotFound("generation")
	}
	return wire.Answer(w, http.StatusOK, the)
}
