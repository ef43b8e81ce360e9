package api

import (
	"bytes"
	_ "embed" // the schema lies in the program
	"net/http"

	"renga/api/wire"
)

// herokuSchema is Heroku's JSON hyper-schema of the Platform API, without white
// space, as it ships with Heroku's Go client; schema/LICENSE.heroku-go is its
// licence.
//
//go:generate go test . -run TestTheSchemaIsThatOfHerokusClient -update
//go:embed schema/heroku.json
var herokuSchema []byte

// schemaPaths are where clients read the schema. It needs no token.
var schemaPaths = []string{"/schema", "/schema.json"}

// schema serves the schema with this platform's address in its links. It describes
// all of Heroku's API; docs/api-coverage.md says which part is answered here.
func (s *Server) schema() wire.Handler {
	text := bytes.Replace(herokuSchema,
		[]byte(`"href":"https://api.heroku.com"`), []byte(`"href":"`+s.BaseURL("api")+`"`), 1)
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return wire.NoEndpoint(w, r)
		}
		w.Header().Set("Content-Type", "application/schema+json")
		_, _ = w.Write(text) // a client that has left needs no answer
		return nil
	}
}
