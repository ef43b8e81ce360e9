package addons

import (
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// More of what Heroku's CLI asks the host of Heroku Data for, in pg:* and redis:*.
// What has no meaning here is refused with what to do instead: the CLI shows that,
// where it would wait for ever, or ask for something else, after a 404.

func (s *Server) dataRoutes() []wire.Route {
	routes := []wire.Route{
		wire.Get("/postgres/v0/databases/{addon}/credentials", wire.Reading, s.listCredentials),
		wire.Get("/postgres/v0/databases/{addon}/credentials/{credential}", wire.OnToken(renga.ScopeReadProtected), s.credentialInfo),
		wire.Get("/redis/v0/databases/{addon}/wait", wire.Reading, s.waitStatusOf(redis)),
		wire.Post("/redis/v0/databases/{addon}/credentials_rotation", wire.OnToken(renga.ScopeWriteProtected), s.rotateRedis),
	}
	for _, no := range notHere {
		routes = append(routes, no.of(no.path, wire.Reading, s.refuseData(no.why)))
	}
	return routes
}

// notHere are the routes that only refuse, and why.
var notHere = []struct {
	of   func(string, wire.Policy, wire.Handler) wire.Route
	path string
	why  string
}{
	{wire.Post, "/postgres/v0/databases/{addon}/credentials", noCredentials},
	{wire.Delete, "/postgres/v0/databases/{addon}/credentials/{credential}", noCredentials},
	{wire.Post, "/postgres/v0/databases/{addon}/repair-default", noCredentials},
	{wire.Get, "/postgres/v0/databases/{addon}/config", noSettings},
	{wire.Patch, "/postgres/v0/databases/{addon}/config", noSettings},
	{wire.Get, "/client/v11/databases/{addon}/links", noLinks},
	{wire.Post, "/client/v11/databases/{addon}/links", noLinks},
	{wire.Put, "/client/v11/databases/{addon}/unfollow", noFollowers},
	{wire.Put, "/client/v11/databases/{addon}/reset", noReset},
	{wire.Put, "/client/v11/databases/{addon}/stats_reset", noStatistics},
	{wire.Post, "/client/v11/databases/{addon}/connection_reset", noKillAll},
	{wire.Post, "/client/v11/databases/{addon}/connection-pooling", noPooling},
	{wire.Get, "/data/maintenances/v1/{addon}", noMaintenance},
	{wire.Get, "/data/maintenances/v1/{addon}/window", noMaintenance},
	{wire.Post, "/data/maintenances/v1/{addon}/window", noMaintenance},
	{wire.Post, "/data/maintenances/v1/{addon}/schedule", noMaintenance},
	{wire.Post, "/data/maintenances/v1/{addon}/run", noMaintenance},
	{wire.Get, "/data/maintenances/v1/{addon}/history/", noMaintenance},
	{wire.Patch, "/redis/v0/databases/{addon}/config", noRedisConfig},
	{wire.Post, "/redis/v0/databases/{addon}/stats/reset", noRedisConfig},
	{wire.Post, "/redis/v0/databases/{addon}/upgrade", noUpgrade},
}

// What the CLI shows for them.
const (
	noCredentials = "A database has one credential here, default; replace it with pg:credentials:rotate."
	noSettings    = "There are no settings to read or change here; use ALTER DATABASE … SET in pg:psql."
	noLinks       = "Databases are not linked here; use CREATE EXTENSION postgres_fdw in pg:psql."
	noFollowers   = "A database has no followers here: each has one server."
	noReset       = "Databases are not reset here: drop what is in it with pg:psql, or make a new one with addons:create and " +
		"pg:promote it."
	noStatistics = "Statistics are not reset here; use SELECT pg_stat_reset() in pg:psql."
	noKillAll    = "End single sessions with pg:ps and pg:kill, or all of them with pg:credentials:rotate."
	noPooling    = "There is no connection pooling here; run a pooler in the app."
	noUpgrade    = "There is no upgrade in place: make an add-on of the other version with addons:create, restore a backup into it, " +
		"and attach it under the old one's name."
	noMaintenance = "There is no maintenance of add-ons here: they change when the platform's operator gives Docker another image."
	noRedisConfig = "The settings of Redis are its plan's here; whoever runs the platform changes them in the catalogue's file."
)

// refuseData refuses what has no meaning, to whoever sees the add-on.
func (s *Server) refuseData(why string) wire.Handler {
	return func(_ http.ResponseWriter, r *http.Request) error {
		if _, _, err := s.addOnOf(r); err != nil {
			return err
		}
		return renga.Errorf(renga.Invalid, "%s", why)
	}
}

// credential is one as the CLI shows it.
type credential struct {
	Name  string  `json:"name"`
	State string  `json:"state"`
	Users []login `json:"credentials"`
	// These are for those who read config vars, and for one credential only.
	Host     string `json:"host,omitempty"`
	Port     int    `json:"port,omitempty"`
	Database string `json:"database,omitempty"`
}

type login struct {
	User     string `json:"user"`
	Password string `json:"password,omitempty"`
	State    string `json:"state"`
}

func newCredential(a renga.AddOn, name string) credential {
	c := credential{Name: name, State: "active", Users: []login{}}
	for _, one := range a.Credentials {
		if one.Name == name && one.State != renga.CredentialNew {
			c.Users = append(c.Users, login{User: one.User, State: string(one.State)})
		}
	}
	return c
}

func (s *Server) listCredentials(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.databaseNamed(r, postgres)
	if err != nil {
		return err
	}
	all := []credential{}
	for _, name := range credentialNames(a) {
		all = append(all, newCredential(a, name))
	}
	return wire.Answer(w, http.StatusOK, all)
}

// credentialInfo tells what it takes to log in, as the app's config var has it.
func (s *Server) credentialInfo(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.databaseNamed(r, postgres, renga.MayDeploy, renga.MayOperate)
	if err != nil {
		return err
	}
	name := mux.Vars(r)["credential"]
	if a.Credential(name) == nil {
		return wire.NotFound("credential")
	}
	vars, err := s.credentialsOf(r.Context(), a.App, a.ID)
	if err != nil {
		return err
	}
	for _, at := range a.Attachments {
		_, to := addressIn(vars, attached{at, a})
		if at.App != a.App || at.Leaving || at.Credential != name || to == nil {
			continue
		}
		c := newCredential(a, name)
		password, _ := to.User.Password()
		c.Users = []login{{User: to.User.Username(), Password: password, State: "active"}}
		c.Host, c.Database = to.Hostname(), to.Path[min(1, len(to.Path)):]
		c.Port, _ = strconv.Atoi(to.Port()) // addressIn has read it
		return wire.Answer(w, http.StatusOK, c)
	}
	return wire.Invalid("No config var of the app %s has this credential; attach it first.", v.apps[a.App].Name)
}

func (s *Server) rotateRedis(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.databaseNamed(r, redis)
	if err != nil {
		return err
	}
	if err := s.rotateCredential(r, a, v, renga.DefaultCredential); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, wire.Empty{})
}
