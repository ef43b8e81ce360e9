// Command client is the app of tests of add-ons: a web dyno that writes to services and reads from them, knowing no more
// of them than the config vars that people's apps know.
//
//	GET /<service>/write?key=K&value=V   remember the value
//	GET /<service>/read?key=K            print it; 404 when there is none
//	GET /dial?addr=HOST:PORT             is a TCP connection possible? 200 or 502
//	GET /env?name=NAME                   print the SHA-256 of the variable's value; 404 when it is not set
//
// The services, and what they are found by:
//
//	postgres       DATABASE_URL
//	redis          REDIS_URL
//	mongo          MONGODB_URI
//	mysql          MYSQL_URL
//	amqp           CLOUDAMQP_URL; a key is a queue, and read takes its oldest message
//	elasticsearch  ELASTICSEARCH_URL
//	memcached      MEMCACHEDCLOUD_SERVERS, _USERNAME, _PASSWORD
//	file           DISK_PATH, the folder of a disk
//
// With ?var=NAME it is that variable, and for memcached the three that begin with NAME. An error of a service is
// answered with 502 and what its library says. Each request connects anew, so that a password that was withdrawn is of
// no use any longer.
//
// With the arguments write SERVICE KEY VALUE it is no web dyno: it writes that and ends, as a release command does.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// timeout is for one request to a service.
const timeout = 10 * time.Second

// errNone means that nothing is kept under a key.
var errNone = errors.New("nothing is kept under this key")

// service writes and reads with what its config var says.
type service struct {
	variable string // by default
	write    func(ctx context.Context, where, key, value string) error
	read     func(ctx context.Context, where, key string) (string, error)
}

var services = map[string]service{
	"postgres":      {"DATABASE_URL", writePostgres, readPostgres},
	"redis":         {"REDIS_URL", writeRedis, readRedis},
	"mongo":         {"MONGODB_URI", writeMongo, readMongo},
	"mysql":         {"MYSQL_URL", writeMySQL, readMySQL},
	"amqp":          {"CLOUDAMQP_URL", writeAMQP, readAMQP},
	"elasticsearch": {"ELASTICSEARCH_URL", writeElasticsearch, readElasticsearch},
	"memcached":     {"MEMCACHEDCLOUD", writeMemcached, readMemcached},
	"file":          {"DISK_PATH", writeFile, readFile},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		if err := once(ctx, os.Args[1:]); err != nil {
			stop()
			log.Fatal(err)
		}
		return
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "5000"
	}
	web := &http.Server{Addr: ":" + port, Handler: handler(), ReadHeaderTimeout: timeout}
	go func() {
		<-ctx.Done()
		_ = web.Shutdown(context.Background()) // the process ends in any case
	}()
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// once does what the arguments say.
func once(ctx context.Context, args []string) error {
	if len(args) != 4 || args[0] != "write" {
		return errors.New("usage: client [write SERVICE KEY VALUE]")
	}
	s, known := services[args[1]]
	if !known {
		return fmt.Errorf("there is no service %s", args[1])
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := s.write(ctx, os.Getenv(s.variable), args[2], args[3]); err != nil {
		return err
	}
	fmt.Println("wrote", args[2])
	return nil
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "client") })
	mux.HandleFunc("GET /dial", dial)
	mux.HandleFunc("GET /env", env)
	for name, s := range services {
		mux.HandleFunc("GET /"+name+"/write", s.answer(func(ctx context.Context, where string, r *http.Request) (string, error) {
			return "written", s.write(ctx, where, r.FormValue("key"), r.FormValue("value"))
		}))
		mux.HandleFunc("GET /"+name+"/read", s.answer(func(ctx context.Context, where string, r *http.Request) (string, error) {
			return s.read(ctx, where, r.FormValue("key"))
		}))
	}
	return mux
}

// answer asks the service that the request's variable names.
func (s service) answer(ask func(ctx context.Context, where string, r *http.Request) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.FormValue("var")
		if name == "" {
			name = s.variable
		}
		where := os.Getenv(name)
		if s.variable == "MEMCACHEDCLOUD" {
			where = name
		}
		if where == "" {
			http.Error(w, name+" is not set", http.StatusFailedDependency)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		text, err := ask(ctx, where, r)
		switch {
		case errors.Is(err, errNone):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadGateway)
		default:
			fmt.Fprintln(w, text)
		}
	}
}

func dial(w http.ResponseWriter, r *http.Request) {
	dialer := net.Dialer{Timeout: 3 * time.Second}
	connection, err := dialer.DialContext(r.Context(), "tcp", r.FormValue("addr"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	_ = connection.Close() // it was only tried
	fmt.Fprintln(w, "connected")
}

func env(w http.ResponseWriter, r *http.Request) {
	value, found := os.LookupEnv(r.FormValue("name"))
	if !found {
		http.NotFound(w, r)
		return
	}
	fmt.Fprintf(w, "%x\n", sha256.Sum256([]byte(value)))
}
