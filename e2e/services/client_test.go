package services_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"renga/e2e/services"
)

// used is a service as the client app uses it.
type used struct {
	name    string // of the client's endpoints
	image   string
	volume  string   // where its data is; none for a cache
	options []string // of docker run
	args    []string
	vars    []string // NAME=value; PASSWORD stands for the password
	refusal string   // what the client is told with a wrong password
}

const password = "s3cret-_word"

// memcachedByPassword starts memcached so that it asks for the password.
const memcachedByPassword = `echo "mech_list: plain" >$SASL_CONF_PATH/memcached.conf
printf "%s:%s\n" "ada@$HOSTNAME" "$SECRET" >$MEMCACHED_SASL_PWDB
exec memcached -S`

var everyService = []used{
	{
		name: "postgres", image: services.Postgres15, volume: "/var/lib/postgresql/data",
		options: []string{"--env=POSTGRES_USER=ada", "--env=POSTGRES_PASSWORD=" + password, "--env=POSTGRES_DB=orders"},
		vars:    []string{"DATABASE_URL=postgres://ada:PASSWORD@service:5432/orders"}, refusal: "password authentication failed",
	},
	{
		name: "redis", image: services.Redis7, volume: "/data", args: []string{"--requirepass", password, "--appendonly", "yes"},
		vars: []string{"REDIS_URL=redis://:PASSWORD@service:6379"}, refusal: "WRONGPASS",
	},
	{
		name: "memcached", image: services.Memcached16,
		options: []string{"--env=SECRET=" + password, "--env=SASL_CONF_PATH=/tmp", "--env=MEMCACHED_SASL_PWDB=/tmp/passwords"},
		args:    []string{"sh", "-euc", memcachedByPassword},
		vars:    []string{"MEMCACHEDCLOUD_SERVERS=service:11211", "MEMCACHEDCLOUD_USERNAME=ada", "MEMCACHEDCLOUD_PASSWORD=PASSWORD"},
		refusal: "AUTH_ERROR",
	},
	{
		name: "mysql", image: services.MariaDB1011, volume: "/var/lib/mysql",
		options: []string{"--env=MARIADB_ROOT_PASSWORD=other", "--env=MARIADB_USER=ada", "--env=MARIADB_PASSWORD=" + password,
			"--env=MARIADB_DATABASE=orders"},
		vars: []string{"MYSQL_URL=mysql://ada:PASSWORD@service:3306/orders"}, refusal: "Error 1045",
	},
	{
		name: "amqp", image: services.RabbitMQ310, volume: "/var/lib/rabbitmq",
		options: []string{"--hostname=service", "--env=RABBITMQ_DEFAULT_USER=ada", "--env=RABBITMQ_DEFAULT_PASS=" + password},
		vars:    []string{"CLOUDAMQP_URL=amqp://ada:PASSWORD@service:5672"}, refusal: "403",
	},
	{
		name: "mongo", image: services.Mongo7, volume: "/data/db",
		options: []string{"--env=MONGO_INITDB_ROOT_USERNAME=ada", "--env=MONGO_INITDB_ROOT_PASSWORD=" + password},
		vars:    []string{"MONGODB_URI=mongodb://ada:PASSWORD@service:27017/orders?authSource=admin"}, refusal: "AuthenticationFailed",
	},
	{
		name: "elasticsearch", image: services.Elasticsearch813, volume: "/usr/share/elasticsearch/data",
		options: []string{"--env=ELASTIC_PASSWORD=" + password, "--env=discovery.type=single-node",
			"--env=xpack.security.http.ssl.enabled=false"},
		vars: []string{"ELASTICSEARCH_URL=http://elastic:PASSWORD@service:9200"}, refusal: "401",
	},
}

func TestTheClientUsesEveryService(t *testing.T) {
	for _, u := range everyService {
		t.Run(u.name, func(t *testing.T) { u.prove(newLab(t)) })
	}
}

// prove shows that a service takes the right password and no other, and keeps its data when its container is replaced.
func (u used) prove(l *lab) {
	t := l.t
	u.start(l)
	c := l.client(u.environment()...)
	l.eventually("200 written", func() (string, error) { return c.get("/" + u.name + "/write?key=kept&value=here") })
	if u.volume != "" {
		l.end("service")
		u.start(l)
	}
	l.eventually("200 here", func() (string, error) { return c.get("/" + u.name + "/read?key=kept") })
	if out, err := c.get("/" + u.name + "/read?key=none"); err != nil || !strings.HasPrefix(out, "404") {
		t.Errorf("what was not written: %q, %v; want 404", out, err)
	}
	variable, _, _ := strings.Cut(u.vars[0], "=")
	wrong := "WRONG_" + strings.TrimSuffix(variable, "_SERVERS")
	out, err := c.get("/" + u.name + "/read?key=kept&var=" + wrong)
	if err != nil || !strings.HasPrefix(out, "502") || !strings.Contains(out, u.refusal) {
		t.Errorf("the wrong password: %q, %v; want 502 and %q", out, err, u.refusal)
	}
	if out, err := c.get("/" + u.name + "/read?key=kept&var=MISSING"); err != nil || !strings.Contains(out, "is not set") {
		t.Errorf("a variable that is not set: %q, %v; want a refusal", out, err)
	}
}

func (u used) start(l *lab) {
	l.t.Helper()
	options := u.options
	if u.volume != "" {
		options = append([]string{l.volume(u.volume)}, options...)
	}
	l.start("service", append(append(options, l.image(u.image)), u.args...)...)
}

// environment is the config vars, and the same with a wrong password, whose names begin with WRONG.
func (u used) environment() []string {
	var all []string
	for _, v := range u.vars {
		name, value, _ := strings.Cut(v, "=")
		all = append(all, "--env="+name+"="+strings.ReplaceAll(value, "PASSWORD", password),
			"--env=WRONG_"+name+"="+strings.ReplaceAll(value, "PASSWORD", "wrong"))
	}
	return all
}

func TestTheClientTellsWhatItReachesAndKnows(t *testing.T) {
	l := newLab(t)
	c := l.client("--env=SECRET=marker")
	l.eventually("200 client", func() (string, error) { return c.get("/") })
	if out, err := c.get("/env?name=SECRET"); err != nil || out != fmt.Sprintf("200 %x", sha256.Sum256([]byte("marker"))) {
		t.Errorf("the sum of a variable: %q, %v", out, err)
	}
	if out, err := c.get("/env?name=NONE"); err != nil || !strings.HasPrefix(out, "404") {
		t.Errorf("a variable that is not set: %q, %v; want 404", out, err)
	}
	if out, err := c.get("/dial?addr=client:5000"); err != nil || out != "200 connected" {
		t.Errorf("dial itself: %q, %v; want it connected", out, err)
	}
	if out, err := c.get("/dial?addr=" + url.QueryEscape("client:1")); err != nil || !strings.Contains(out, "refused") {
		t.Errorf("dial a port where nobody is: %q, %v; want it refused", out, err)
	}
}

// web is the client app in a container.
type web struct {
	l   *lab
	url string
}

func (l *lab) client(options ...string) web {
	l.t.Helper()
	l.start("client", append(append(options, "--env=PORT=5000"), l.image(services.Client))...)
	address := l.docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", l.name+"-client")
	return web{l, "http://" + address + ":5000"}
}

// get is the status and the body of an answer.
func (c web) get(path string) (string, error) {
	request, err := http.NewRequestWithContext(c.l.t.Context(), http.MethodGet, c.url+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return fmt.Sprintf("%d %s", answer.StatusCode, strings.TrimSpace(string(body))), err
}
