// Command elasticsearch is a stand-in for Elasticsearch in tests, and nothing else: it speaks as much of its REST API as
// the official clients need to index, get, search and count documents, to ask for the health and to manage users, on
// the search library bleve.
//
// It takes the settings of the official image, and where that one would not start or would answer over TLS only it
// does not start either.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const data = "/usr/share/elasticsearch/data"

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil {
		log.Fatal("elasticsearch (a stand-in for tests): ", err)
	}
}

func serve(ctx context.Context) error {
	for name, want := range map[string]string{"discovery.type": "single-node", "xpack.security.http.ssl.enabled": "false"} {
		if os.Getenv(name) != want {
			return errors.New("set " + name + "=" + want + ": the official image would need certificates or a cluster otherwise")
		}
	}
	password, err := setting("ELASTIC_PASSWORD")
	if err != nil {
		return err
	}
	if password == "" && os.Getenv("xpack.security.enabled") != "false" {
		return errors.New("set ELASTIC_PASSWORD: the official image would make one up and print it")
	}
	people, err := openUsers(filepath.Join(data, "users.json"), password)
	if err != nil {
		return err
	}
	all, err := openIndexes(filepath.Join(data, "indices"))
	if err != nil {
		return err
	}
	s := &server{indexes: all, users: people, secured: os.Getenv("xpack.security.enabled") != "false"}
	web := &http.Server{Addr: ":9200", Handler: s.handler(), ConnState: s.count, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = web.Shutdown(context.Background()) // the process ends in any case
	}()
	log.Print("started on port 9200")
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return all.close()
}

// setting reads a variable, or the file that NAME_FILE names.
func setting(name string) (string, error) {
	file := os.Getenv(name + "_FILE")
	if file == "" {
		return os.Getenv(name), nil
	}
	content, err := os.ReadFile(filepath.Clean(file))
	return strings.TrimRight(string(content), "\n"), err
}
