package services_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"renga"
)

func TestTheShippedPostgresLives(t *testing.T) {
	s := newShipped(t, "heroku-postgresql", "standard-0", "15")
	query := func(vars renga.Vars, statement string) (string, error) {
		return s.client("psql", "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", vars["URL"], "-c", statement)
	}
	s.live(client{
		write: func(vars renga.Vars, value string) (string, error) {
			return query(vars, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT '"+value+"' AS what;"+
				"CREATE EXTENSION IF NOT EXISTS citext")
		},
		read:    func(vars renga.Vars) (string, error) { return query(vars, "SELECT what FROM kept") },
		refused: "FATAL:  password authentication failed",
		hold: func(vars renga.Vars) []string {
			return []string{"psql", "--no-psqlrc", vars["URL"], "-c", "SELECT pg_sleep(60)"}
		},
	})

	who := credential(9)
	s.must(s.Grant, s.data.With(who))
	for statement, want := range map[string]string{
		"SELECT current_user": s.data.Database + "_owner",
		"SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication FROM pg_roles WHERE rolname = session_user": "f",
		"SELECT rolconnlimit FROM pg_roles WHERE rolname = session_user":                                               "120",
		"SET ROLE postgres":                    "permission denied",
		"SET SESSION AUTHORIZATION postgres":   "permission denied",
		"SELECT pg_read_file('/etc/passwd')":   "permission denied",
		"COPY (SELECT 1) TO PROGRAM 'true'":    "must be superuser",
		"ALTER ROLE postgres PASSWORD 'x'":     "must be superuser",
		"ALTER SYSTEM SET shared_buffers = 1":  "permission denied",
		"CREATE ROLE another LOGIN":            "permission denied",
		"SHOW max_connections":                 "260",
		"\\connect postgres":                   "permission denied",
		"SELECT passwd FROM pg_shadow LIMIT 1": "permission denied",
	} {
		if out, _ := query(s.vars(who), statement); !strings.Contains(out, want) {
			t.Errorf("%s: %s; want %s", statement, out, want)
		}
	}
}

// TestAServerOfPostgresIsShared by databases that are made and given users at once.
func TestAServerOfPostgresIsShared(t *testing.T) {
	s := newShipped(t, "heroku-postgresql", "standard-0", "15")
	var all errgroup.Group
	for n := range 8 {
		all.Go(func() error {
			d := s.data
			d.Database = fmt.Sprintf("d%013d", n)
			for range 4 {
				who := d.With(credential(1))
				if _, err := s.command(s.Grant, who, nil); err != nil {
					return err
				}
				if _, err := s.command(s.Revoke, who, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	check(t, all.Wait())
}

func TestTheShippedRedisLives(t *testing.T) {
	s := newShipped(t, "heroku-redis", "premium-0", "7")
	ask := func(vars renga.Vars, command ...string) (string, error) {
		return s.client(append([]string{"redis-cli", "--no-auth-warning", "-u", vars["URL"]}, command...)...)
	}
	s.live(client{
		write:   func(vars renga.Vars, value string) (string, error) { return ask(vars, "set", "kept", value) },
		read:    func(vars renga.Vars) (string, error) { return ask(vars, "get", "kept") },
		refused: "WRONGPASS",
		hold: func(vars renga.Vars) []string {
			return []string{"sh", "-c", "redis-cli -u " + vars["URL"] + " blpop none 60 2>&1 | grep -q closed"}
		},
	})

	who := credential(9)
	s.must(s.Grant, s.data.With(who))
	for _, one := range []struct{ command, want string }{
		{"info server", "redis_version"},
		{"config get maxmemory", "100663296"},
		{"config set maxmemory 0", "NOPERM"},
		{"config get requirepass", "requirepass"},
		{"acl list", "NOPERM"},
		{"acl whoami", who.User},
		{"acl setuser x", "NOPERM"},
		{"debug reload", "not allowed"},
		{"shutdown", "NOPERM"},
		{"replicaof no one", "NOPERM"},
		{"module list", "NOPERM"},
		{"bgsave", "NOPERM"},
		{"client list", who.User},
		{"keys *", "kept"},
		{"eval return(1) 0", "1"},
		{"xadd s * a b", "-"},
		{"publish channel hello", "0"},
		{"flushall", "OK"},
		{"client setname somebody", "OK"},
	} {
		out, _ := ask(s.vars(who), strings.Fields(one.command)...)
		if !strings.Contains(out, one.want) || strings.Contains(out, s.data.Admin) {
			t.Errorf("%s: %s; want %s, and not the admin's password", one.command, out, one.want)
		}
	}
}

func TestTheShippedMemcachedLives(t *testing.T) {
	s := newShipped(t, "memcachedcloud", "30", "")
	login := func(vars renga.Vars, do func(memcached) (string, error)) (string, error) {
		if want := "service:11211"; vars["SERVERS"] != want {
			t.Errorf("the server is %s, not %s", vars["SERVERS"], want)
		}
		conn, err := net.DialTimeout("tcp", s.address(), time.Second)
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close() }() // nobody reads on
		check(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		m := memcached{conn}
		if out, err := m.ask(0x21, nil, "PLAIN", "\x00"+vars["USERNAME"]+"\x00"+vars["PASSWORD"]); err != nil {
			return out, err
		}
		return do(m)
	}
	s.live(client{
		write: func(vars renga.Vars, value string) (string, error) {
			return login(vars, func(m memcached) (string, error) { return m.ask(0x01, make([]byte, 8), "kept", value) })
		},
		read: func(vars renga.Vars) (string, error) {
			return login(vars, func(m memcached) (string, error) { return m.ask(0x00, nil, "kept", "") })
		},
		refused: "Auth failure",
	})
}

// memcached is a connection that speaks the binary protocol.
type memcached struct{ net.Conn }

// ask sends a request and returns the value of its answer.
func (m memcached) ask(command byte, extras []byte, key, value string) (string, error) {
	request := make([]byte, 24, 24+len(extras)+len(key)+len(value))
	request[0], request[1], request[4] = 0x80, command, byte(len(extras))
	binary.BigEndian.PutUint16(request[2:], uint16(len(key)))
	binary.BigEndian.PutUint32(request[8:], uint32(len(extras)+len(key)+len(value)))
	request = append(append(append(request, extras...), key...), value...)
	if _, err := m.Write(request); err != nil {
		return "", err
	}
	header := make([]byte, 24)
	if _, err := io.ReadFull(m, header); err != nil {
		return "", err
	}
	body := make([]byte, binary.BigEndian.Uint32(header[8:]))
	if _, err := io.ReadFull(m, body); err != nil {
		return "", err
	}
	said := string(body[int(header[4])+int(binary.BigEndian.Uint16(header[2:])):])
	if status := binary.BigEndian.Uint16(header[6:]); status != 0 {
		return said, fmt.Errorf("status %d: %s", status, said)
	}
	return said, nil
}

func TestTheShippedMySQLLives(t *testing.T) {
	s := newShipped(t, "mysql", "kitefin", "10.11")
	parts := func(url string) (user, password, database string) {
		user, rest, _ := strings.Cut(strings.TrimPrefix(url, "mysql://"), ":")
		password, rest, _ = strings.Cut(rest, "@")
		return user, password, strings.TrimPrefix(rest, "service:3306/")
	}
	query := func(vars renga.Vars, statement string) (string, error) {
		user, password, database := parts(vars["URL"])
		return try(t.Context(), "exec", "--env=MYSQL_PWD="+password, s.name+"-service", "mariadb", "--no-defaults",
			"--protocol=tcp", "--host=service", "--user="+user, "-N", "-B", "--execute="+statement, database)
	}
	s.live(client{
		write: func(vars renga.Vars, value string) (string, error) {
			return query(vars, "CREATE OR REPLACE TABLE t (what TEXT); INSERT INTO t VALUES ('"+value+"'), ('DEFINER=`a`@`%`');"+
				"CREATE OR REPLACE VIEW kept AS SELECT what FROM t LIMIT 1;"+
				"CREATE OR REPLACE TRIGGER b BEFORE INSERT ON t FOR EACH ROW SET @a = 1")
		},
		read:    func(vars renga.Vars) (string, error) { return query(vars, "SELECT what FROM kept") },
		refused: "Access denied",
		hold: func(vars renga.Vars) []string {
			user, password, database := parts(vars["URL"])
			return []string{"env", "MYSQL_PWD=" + password, "mariadb", "--no-defaults", "--protocol=tcp", "--host=service",
				"--user=" + user, "--execute=SELECT SLEEP(60)", database}
		},
	})

	who := credential(9)
	s.must(s.Grant, s.data.With(who))
	for _, one := range []struct{ statement, want string }{
		{"SELECT what FROM t WHERE what LIKE 'DEF%'", "DEFINER=`a`@`%`"},
		{"SELECT definer FROM information_schema.views WHERE table_name = 'kept'", s.data.Database + "_owner@localhost"},
		{"SELECT COUNT(*) FROM mysql.global_priv", "denied"},
		{"CREATE DATABASE another", "Access denied"},
		{"CREATE USER another", "Access denied"},
		{"SELECT LOAD_FILE('/etc/passwd')", "NULL"},
		{"SET GLOBAL max_connections = 1", "Access denied"},
		{"SELECT @@max_connections, @@max_user_connections", "40\t10"},
	} {
		if out, _ := query(s.vars(who), one.statement); !strings.Contains(out, one.want) {
			t.Errorf("%s: %s; want %s", one.statement, out, one.want)
		}
	}
}

func TestTheShippedRabbitMQLives(t *testing.T) {
	s := newShipped(t, "cloudamqp", "lemur", "3.10")
	open := func(vars renga.Vars, do func(*amqp.Channel) (string, error)) (string, error) {
		conn, err := amqp.Dial(strings.Replace(vars["URL"], "service:5672", s.address(), 1))
		if err != nil {
			return err.Error(), err
		}
		defer func() { _ = conn.Close() }() // nobody reads on
		channel, err := conn.Channel()
		if err != nil {
			return "", err
		}
		return do(channel)
	}
	queue := func(c *amqp.Channel) error {
		_, err := c.QueueDeclare("kept", true, false, false, false, nil)
		return err
	}
	s.live(client{
		write: func(vars renga.Vars, value string) (string, error) {
			return open(vars, func(c *amqp.Channel) (string, error) {
				if err := errors.Join(c.Confirm(false), queue(c)); err != nil {
					return "", err
				}
				if _, err := c.QueuePurge("kept", false); err != nil {
					return "", err
				}
				sent, err := c.PublishWithDeferredConfirm("", "kept", true, false,
					amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(value)})
				if err != nil {
					return "", err
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err = sent.WaitContext(ctx)
				return "", err
			})
		},
		read: func(vars renga.Vars) (string, error) {
			return open(vars, func(c *amqp.Channel) (string, error) {
				m, ok, err := c.Get("kept", false) // it goes back when the channel closes
				if !ok && err == nil {
					err = errors.New("the queue is empty")
				}
				return string(m.Body), err
			})
		},
		refused: "username or password not allowed",
	})

	who := credential(9)
	s.must(s.Grant, s.data.With(who))
	limits := s.exec("service", "docker-entrypoint.sh", "rabbitmqctl", "--quiet", "list_user_limits", "--user", who.User)
	if !strings.Contains(limits, `"max-connections":20`) {
		t.Errorf("its limits are %s; want 20 connections", limits)
	}
	vars := s.vars(who)
	vars["URL"] = strings.TrimSuffix(vars["URL"], s.data.Database) + "%2f"
	if out, err := open(vars, func(*amqp.Channel) (string, error) { return "", nil }); err == nil {
		t.Errorf("another virtual host is open to it: %s", out)
	}
	vars = renga.Vars{"URL": "amqp://guest:guest@service:5672/" + s.data.Database}
	if out, err := open(vars, func(*amqp.Channel) (string, error) { return "", nil }); err == nil {
		t.Errorf("the server's usual user may come in: %s", out)
	}
}

func TestTheShippedMongoDBLives(t *testing.T) {
	s := newShipped(t, "mongodb", "sandbox", "7")
	kept := func(vars renga.Vars, do func(*mongo.Collection) (string, error)) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		uri := strings.Replace(vars["URI"], "service:27017", s.address(), 1)
		c, err := mongo.Connect(options.Client().ApplyURI(uri).SetDirect(true).SetServerSelectionTimeout(3 * time.Second))
		if err != nil {
			return "", err
		}
		defer func() { _ = c.Disconnect(ctx) }() // nobody reads on
		said, err := do(c.Database(s.data.Database).Collection("kept"))
		if err != nil {
			said = err.Error()
		}
		return said, err
	}
	s.live(client{
		write: func(vars renga.Vars, value string) (string, error) {
			return kept(vars, func(c *mongo.Collection) (string, error) {
				_, err := c.ReplaceOne(t.Context(), bson.M{"_id": "one"}, bson.M{"what": value}, options.Replace().SetUpsert(true))
				return "", err
			})
		},
		read: func(vars renga.Vars) (string, error) {
			return kept(vars, func(c *mongo.Collection) (string, error) {
				var one struct{ What string }
				err := c.FindOne(t.Context(), bson.M{"_id": "one"}).Decode(&one)
				return one.What, err
			})
		},
		refused: "AuthenticationFailed",
	})
}

func TestTheShippedElasticsearchLives(t *testing.T) {
	s := newShipped(t, "elasticsearch", "sandbox", "")
	ask := func(vars renga.Vars, method, path, body string) (string, error) {
		url := strings.Replace(vars["URL"], "service:9200", s.address(), 1) + path
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		check(t, err)
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		defer func() { _ = answer.Body.Close() }() // nobody reads on
		said, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode > 299 {
			err = errors.New(answer.Status)
		}
		return string(said), err
	}
	s.live(client{
		write: func(vars renga.Vars, value string) (string, error) {
			return ask(vars, "PUT", "/kept/_doc/1?refresh=true", `{"what": "`+value+`"}`)
		},
		read: func(vars renga.Vars) (string, error) {
			out, err := ask(vars, "GET", "/kept/_doc/1", "")
			var found struct {
				Source struct{ What string } `json:"_source"`
			}
			if err == nil {
				err = json.Unmarshal([]byte(out), &found)
				out = found.Source.What
			}
			return out, err
		},
		refused: "unable to authenticate user",
	})

	who := credential(9)
	s.must(s.Grant, s.data.With(who))
	if out, err := ask(s.vars(who), "PUT", "/_security/user/another", `{"password": "123456", "roles": []}`); err == nil {
		t.Errorf("an app makes users: %s", out)
	}
}
