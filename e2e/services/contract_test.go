package services_test

import (
	"slices"
	"strings"
	"testing"

	"renga/e2e/services"
)

func TestPostgresKeepsTheOfficialImagesContract(t *testing.T) {
	for _, image := range []string{services.Postgres15, services.Postgres17} {
		t.Run(image, func(t *testing.T) { postgresKeepsTheContract(t, image) })
	}
}

func postgresKeepsTheContract(t *testing.T, name string) {
	l := newLab(t)
	image := l.image(name)
	script := "#!/bin/sh\necho 'CREATE TABLE made AS SELECT 1 AS one' | psql -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\"\n"
	create := func() {
		l.start("db", l.volume("/var/lib/postgresql/data"), "--env=POSTGRES_USER=ada", "--env=POSTGRES_PASSWORD=s3cret's",
			"--env=POSTGRES_DB=orders", "--entrypoint=sh", image, "-c",
			`printf %s "$0" >/docker-entrypoint-initdb.d/a.sh; exec docker-entrypoint.sh "$@"`, script, "-c", "max_connections=17")
	}
	query := func(password, statement string) (string, error) {
		return l.once("--env=PGPASSWORD="+password, image, "psql", "-h", "db", "-U", "ada", "-d", "orders", "-Atc", statement)
	}

	create()
	l.eventually("1", func() (string, error) { return query("s3cret's", "SELECT one FROM made") })
	if out, err := query("s3cret's", "CREATE TABLE kept AS SELECT 'here' AS what"); err != nil {
		t.Errorf("create a table: %v, %s", err, out)
	}
	if out, err := query("wrong", "SELECT 1"); err == nil || !strings.Contains(out, "password authentication failed") {
		t.Errorf("the wrong password: %q, %v; want it refused", out, err)
	}
	for statement, want := range map[string]string{
		"SHOW max_connections":     "17",
		"SHOW password_encryption": "scram-sha-256",
		"SHOW data_directory":      "/var/lib/postgresql/data",
		"SHOW server_encoding":     "UTF8",
		"SELECT 'postgres:' || current_setting('server_version_num')::int / 10000": name,
	} {
		if out, err := query("s3cret's", statement); err != nil || out != want {
			t.Errorf("%s: %q, %v; want %s", statement, out, err, want)
		}
	}
	if out := l.exec("db", "stat", "-c", "%U %u", "/proc/1", "/var/lib/postgresql/data"); out != "postgres 999\npostgres 999" {
		t.Errorf("the server and its data belong to %q; want postgres, 999", out)
	}
	if out := l.exec("db", "pg_dump", "-U", "ada", "-d", "orders", "--table=kept"); !strings.Contains(out, "here") {
		t.Errorf("pg_dump prints %s; want the row", out)
	}

	l.end("db")
	create()
	l.eventually("here", func() (string, error) { return query("s3cret's", "SELECT what FROM kept") })
	if out, err := l.once(image); err == nil || !strings.Contains(out, "superuser password is not specified") {
		t.Errorf("start without a password: %q, %v; want it refused", out, err)
	}
}

func TestRedisKeepsTheOfficialImagesContract(t *testing.T) {
	l := newLab(t)
	image := l.image(services.Redis7)
	create := func() {
		l.start("redis", l.volume("/data"), image, "--requirepass", "s3cret", "--appendonly", "yes")
	}
	ask := func(password string, command ...string) (string, error) {
		return l.once(append([]string{"--env=REDISCLI_AUTH=" + password, image, "redis-cli", "-h", "redis"}, command...)...)
	}

	create()
	l.eventually("OK", func() (string, error) { return ask("s3cret", "set", "kept", "here") })
	if out, err := ask("wrong", "get", "kept"); !strings.Contains(out, "WRONGPASS") || strings.Contains(out, "here") {
		t.Errorf("the wrong password: %q, %v; want it refused", out, err)
	}
	if out := l.exec("redis", "stat", "-c", "%U %u", "/proc/1", "/data"); out != "redis 999\nredis 999" {
		t.Errorf("the server and its data belong to %q; want redis, 999", out)
	}

	l.end("redis")
	create()
	l.eventually("here", func() (string, error) { return ask("s3cret", "get", "kept") })
}

func TestMariaDBKeepsTheOfficialImagesContract(t *testing.T) {
	l := newLab(t)
	image := l.image(services.MariaDB1011)
	create := func() {
		l.start("db", l.volume("/var/lib/mysql"), "--env=MARIADB_ROOT_PASSWORD=ro'ot\\", "--env=MYSQL_USER=ada",
			"--env=MARIADB_PASSWORD=s3cret", "--env=MARIADB_DATABASE=my_orders", image, "--max-connections=17")
	}
	query := func(user, password, statement string) (string, error) {
		return l.once("--env=MYSQL_PWD="+password, image, "mariadb", "-h", "db", "-u", user, "-BN", "my_orders", "-e", statement)
	}

	create()
	l.eventually("17", func() (string, error) { return query("ada", "s3cret", "SELECT @@max_connections") })
	if out, err := query("ada", "s3cret", "CREATE TABLE kept AS SELECT 'here' AS what"); err != nil {
		t.Errorf("create a table: %v, %s", err, out)
	}
	if out, err := query("ada", "wrong", "SELECT 1"); err == nil || !strings.Contains(out, "1045") {
		t.Errorf("the wrong password: %q, %v; want it refused", out, err)
	}
	if out, err := query("root", "ro'ot\\", "SELECT 1"); err != nil || out != "1" {
		t.Errorf("root's password: %q, %v; want 1", out, err)
	}
	if out := l.exec("db", "stat", "-c", "%U %u", "/proc/1", "/var/lib/mysql"); out != "mysql 999\nmysql 999" {
		t.Errorf("the server and its data belong to %q; want mysql, 999", out)
	}

	l.end("db")
	create()
	l.eventually("here", func() (string, error) { return query("ada", "s3cret", "SELECT what FROM kept") })
}

func TestRabbitMQKeepsTheOfficialImagesContract(t *testing.T) {
	l := newLab(t)
	image := l.image(services.RabbitMQ310)
	create := func() {
		l.start("mq", l.volume("/var/lib/rabbitmq"), "--hostname=mq", "--env=RABBITMQ_DEFAULT_USER=ada",
			"--env=RABBITMQ_DEFAULT_PASS=s3#cret", "--env=RABBITMQ_DEFAULT_VHOST=orders", image)
	}
	// As the server's user: who asks before it has started makes the cookie that both need, and the server cannot read
	// one of root's. That is so in the official image, too.
	ctl := func(args ...string) (string, error) {
		return try(t.Context(), append([]string{"exec", "--user=rabbitmq", l.name + "-mq", "rabbitmqctl", "--silent"}, args...)...)
	}

	create()
	l.eventually("orders", func() (string, error) { return ctl("list_vhosts", "--no-table-headers") })
	if out, err := ctl("authenticate_user", "ada", "s3#cret"); err != nil {
		t.Errorf("the right password: %v, %s", err, out)
	}
	if out, err := ctl("authenticate_user", "ada", "wrong"); err == nil {
		t.Errorf("the wrong password: %q; want it refused", out)
	}
	if out, err := ctl("add_vhost", "kept"); err != nil {
		t.Errorf("add a virtual host: %v, %s", err, out)
	}
	if out := l.exec("mq", "stat", "-c", "%U %u", "/proc/1", "/var/lib/rabbitmq"); out != "rabbitmq 999\nrabbitmq 999" {
		t.Errorf("the server and its data belong to %q; want rabbitmq, 999", out)
	}

	l.end("mq")
	create()
	l.eventually("orders\nkept", func() (string, error) {
		out, err := ctl("list_vhosts", "--no-table-headers")
		names := strings.Fields(out)
		slices.Sort(names)
		slices.Reverse(names)
		return strings.Join(names, "\n"), err
	})
}

func TestADumpOfAnOlderPostgresIsReadByANewerOne(t *testing.T) {
	l := newLab(t)
	for host, name := range map[string]string{"old": services.Postgres15, "new": services.Postgres17} {
		l.start(host, "--env=POSTGRES_PASSWORD=s3cret", l.image(name))
	}
	newer := l.image(services.Postgres17)
	query := func(host, statement string) (string, error) {
		return l.once("--env=PGPASSWORD=s3cret", newer, "psql", "-h", host, "-U", "postgres", "-Atc", statement)
	}
	l.eventually("SELECT 1", func() (string, error) { return query("old", "CREATE TABLE kept AS SELECT 'here' AS what") })
	l.eventually("1", func() (string, error) { return query("new", "SELECT 1") })
	copying := "pg_dump -h old -U postgres -Fc postgres | pg_restore -h new -U postgres -d postgres --exit-on-error"
	if out, err := l.once("--env=PGPASSWORD=s3cret", newer, "bash", "-euo", "pipefail", "-c", copying); err != nil {
		t.Fatalf("dump and restore: %v, %s", err, out)
	}
	if out, err := query("new", "SELECT what FROM kept"); err != nil || out != "here" {
		t.Errorf("the newer one has %q, %v; want the older one's row", out, err)
	}
}
