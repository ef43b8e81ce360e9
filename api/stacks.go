package api

import (
	"net/http"

	"github.com/gorilla/mux"
)

// There is one stack: images.
const (
	stackName = "container"
	stackID   = "69ba1b2c-3b2f-5d2e-8f34-6a7a3b3f5b01"
)

func (s *Server) stackRoutes() []Route {
	return []Route{
		Get("/stacks", AnyToken, listStacks),
		Get("/stacks/{stack}", AnyToken, stackInfo),
		Get("/apps/{app}/available-stacks", Looking, listStacks),
		Get("/generations", AnyToken, listGenerations),
		Get("/generations/{generation}", AnyToken, generationInfo),
	}
}

// stack is a stack on the wire.
type stack struct {
	CreatedAt string `json:"created_at"`
	Default   bool   `json:"default"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	State     string `json:"state"`
	UpdatedAt string `json:"updated_at"`
}

func stackRef() ref { return ref{ID: stackID, Name: stackName} }

func newStack() stack {
	return stack{CreatedAt: birthday, Default: true, ID: stackID, Name: stackName, State: "public", UpdatedAt: birthday}
}

func listStacks(w http.ResponseWriter, r *http.Request) error {
	return list(w, r, []stack{newStack()},
		by("id", func(x stack) string { return x.ID }),
		by("name", func(x stack) string { return x.Name }))
}

func stackInfo(w http.ResponseWriter, r *http.Request) error {
	if asked := mux.Vars(r)["stack"]; asked != stackID && asked != stackName {
		return notFound("stack")
	}
	return answer(w, http.StatusOK, newStack())
}

// generation is a generation of the platform on the wire.
type generation struct {
	CreatedAt string `json:"created_at"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	UpdatedAt string `json:"updated_at"`
}

func newGeneration() generation {
	the := generationRef()
	return generation{CreatedAt: birthday, ID: the.ID, Name: the.Name, UpdatedAt: birthday}
}

func listGenerations(w http.ResponseWriter, r *http.Request) error {
	return list(w, r, []generation{newGeneration()},
		by("id", func(x generation) string { return x.ID }),
		by("name", func(x generation) string { return x.Name }))
}

func generationInfo(w http.ResponseWriter, r *http.Request) error {
	the := newGeneration()
	if asked := mux.Vars(r)["generation"]; asked != the.ID && asked != the.Name {
		return notFound("generation")
	}
	return answer(w, http.StatusOK, the)
}
