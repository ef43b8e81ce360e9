package store

import (
	"crypto/tls"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"renga"
)

// address is a parsed [Options.URL].
type address struct {
	options redis.UniversalOptions
	where   string // for messages: no user, no password
}

// form is one scheme of URL.
type form struct {
	kind string // "one", "socket", "sentinel", "cluster"
	tls  bool
	port string // the default
}

var forms = map[string]form{
	"redis":           {"one", false, "6379"},
	"rediss":          {"one", true, "6379"},
	"unix":            {"socket", false, ""},
	"redis+sentinel":  {"sentinel", false, "26379"},
	"rediss+sentinel": {"sentinel", true, "26379"},
	"redis+cluster":   {"cluster", false, "6379"},
	"rediss+cluster":  {"cluster", true, "6379"},
}

// badURL never quotes the URL, for it may hold a password.
func badURL(what string) error {
	return renga.Errorf(renga.Invalid, "REDIS_URL %s. It looks like redis://user:password@host:6379/0, rediss://…, "+
		"unix:///path/redis.sock, redis+sentinel://host,host/master or redis+cluster://host,host; special characters in "+
		"the password are percent-encoded.", what)
}

func parseURL(text string) (address, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	f, known := forms[scheme]
	if !ok || !known {
		return address{}, badURL("does not start with a known scheme")
	}
	// net/url takes one host only, so the list is cut out first.
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	user, hosts := "", authority
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	u, err := url.Parse("x://" + user + "host" + tail)
	if err != nil || u.Fragment != "" {
		return address{}, badURL("is malformed")
	}
	return f.address(u, hosts)
}

// address puts the parts together.
func (f form) address(u *url.URL, hosts string) (address, error) {
	a := address{}
	a.options.Username = u.User.Username()
	a.options.Password, _ = u.User.Password()
	if f.tls {
		a.options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12} // the server's name is that of the dialled host
	}
	if err := f.target(&a, u.Path, hosts); err != nil {
		return address{}, err
	}
	if err := f.parameters(&a.options, u.RawQuery); err != nil {
		return address{}, err
	}
	if f.kind == "cluster" && a.options.DB != 0 {
		return address{}, badURL("names a database, but a Cluster has only one")
	}
	return a, nil
}

// target reads hosts and path.
func (f form) target(a *address, path, hosts string) error {
	if f.kind == "socket" {
		if hosts != "" || len(path) < 2 {
			return badURL("needs three slashes before an absolute path to a socket")
		}
		a.options.Addrs, a.where = []string{path}, path
		return nil
	}
	addrs, err := f.addrs(hosts)
	if err != nil {
		return err
	}
	a.options.Addrs, a.where = addrs, strings.Join(addrs, ",")
	path = strings.Trim(path, "/")
	switch {
	case f.kind == "one" && len(addrs) > 1:
		return badURL("has several hosts; that needs redis+sentinel:// or redis+cluster://")
	case f.kind == "one" && path != "":
		return number(path, &a.options.DB, "has a database that is no number")
	case f.kind == "sentinel" && (path == "" || strings.Contains(path, "/")):
		return badURL("lacks the primary's name after the Sentinels")
	case f.kind == "sentinel":
		a.options.MasterName, a.where = path, path+" (Sentinels "+a.where+")"
	case f.kind == "cluster" && path != "":
		return badURL("has a path, which a Cluster has no use for")
	}
	a.options.IsClusterMode = f.kind == "cluster"
	return nil
}

// addrs reads host[:port],host[:port]….
func (f form) addrs(hosts string) ([]string, error) {
	var addrs []string
	for h := range strings.SplitSeq(hosts, ",") {
		host, port, err := net.SplitHostPort(h)
		if err != nil { // no port
			host, port = strings.TrimSuffix(strings.TrimPrefix(h, "["), "]"), f.port
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || host == "" || strings.ContainsAny(host, "[]/@ ") {
			return nil, badURL("has a malformed host or port")
		}
		addrs = append(addrs, net.JoinHostPort(host, port))
	}
	return addrs, nil
}

// parameters reads what follows the question mark.
func (f form) parameters(o *redis.UniversalOptions, query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return badURL("has malformed parameters")
	}
	for name, v := range values {
		value := v[len(v)-1]
		var err error
		switch name {
		case "db":
			err = number(value, &o.DB, "has a database that is no number")
		case "pool_size":
			err = number(value, &o.PoolSize, "has a pool_size that is no number")
		case "skip_verify":
			err = f.skipVerify(o, value)
		case "sentinel_user":
			o.SentinelUsername = value
		case "sentinel_password":
			o.SentinelPassword = value
		default:
			err = badURL("has an unknown parameter; there are db, pool_size, skip_verify, sentinel_user and sentinel_password")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f form) skipVerify(o *redis.UniversalOptions, value string) error {
	yes, err := strconv.ParseBool(value)
	if err != nil || o.TLSConfig == nil {
		return badURL("has skip_verify, which is true or false and needs a scheme with rediss")
	}
	o.TLSConfig.InsecureSkipVerify = yes
	return nil
}

func number(text string, n *int, complaint string) error {
	v, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return badURL(complaint)
	}
	*n = int(v)
	return nil
}
