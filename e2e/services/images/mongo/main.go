// Command mongod answers MongoDB's clients with FerretDB on SQLite, and takes the settings of the official mongo image:
//
//	MONGO_INITDB_ROOT_USERNAME, MONGO_INITDB_ROOT_PASSWORD   the first user, of the database admin; none without them
//
// Each may have _FILE at the end and name a file. Arguments of mongod are accepted and ignored.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/internal/clientconn"
	"github.com/FerretDB/FerretDB/internal/clientconn/connmetrics"
	"github.com/FerretDB/FerretDB/internal/handler"
	"github.com/FerretDB/FerretDB/internal/handler/registry"
	"github.com/FerretDB/FerretDB/internal/util/password"
	"github.com/FerretDB/FerretDB/internal/util/state"
	"github.com/FerretDB/wire"
	"github.com/FerretDB/wire/wirebson"
)

const (
	address = ":27017"
	data    = "/data/db"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mongod:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	options, err := settings()
	if err != nil {
		return err
	}
	h, closeBackend, err := registry.NewHandler("sqlite", options)
	if closeBackend != nil {
		defer closeBackend()
	}
	if err != nil {
		return err
	}
	acceptRoles(h)
	countConnections(h)
	metrics := connmetrics.NewListenerMetrics()
	l, err := clientconn.Listen(&clientconn.NewListenerOpts{
		TCP: address, Mode: clientconn.NormalMode, Metrics: metrics, Handler: h, Logger: options.Logger,
	})
	if err != nil {
		return err
	}
	options.Logger.Info("Waiting for connections", "port", strings.TrimPrefix(address, ":"))
	l.Run(ctx)
	return nil
}

func settings() (*registry.NewHandlerOpts, error) {
	user, err := setting("MONGO_INITDB_ROOT_USERNAME")
	if err != nil {
		return nil, err
	}
	secret, err := setting("MONGO_INITDB_ROOT_PASSWORD")
	if err != nil {
		return nil, err
	}
	if (user == "") != (secret == "") {
		return nil, fmt.Errorf("MONGO_INITDB_ROOT_USERNAME and MONGO_INITDB_ROOT_PASSWORD go together: both or none")
	}
	states, err := state.NewProvider("")
	if err != nil {
		return nil, err
	}
	err = states.Update(func(s *state.State) { s.DisableTelemetry(); s.TelemetryLocked = true })
	if err != nil {
		return nil, err
	}
	options := &registry.NewHandlerOpts{
		Logger:        slog.New(slog.NewTextHandler(os.Stdout, nil)),
		ConnMetrics:   connmetrics.NewListenerMetrics().ConnMetrics,
		StateProvider: states,
		TCPHost:       address,
		SQLiteURL:     "file:" + data + "/",
		TestOpts:      registry.TestOpts{CappedCleanupPercentage: 10, BatchSize: 100, MaxBsonObjectSizeBytes: 16 << 20},
	}
	if user != "" {
		options.SetupDatabase, options.SetupUsername = "admin", user
		options.SetupPassword, options.SetupTimeout = password.WrapPassword(secret), 30*time.Second
		options.EnableNewAuth = true
	}
	return options, nil
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

// acceptRoles makes the commands for users take roles, which FerretDB does not have: every user may do everything.
func acceptRoles(h *handler.Handler) {
	for _, name := range []string{"createUser", "updateUser"} {
		command := h.Commands()[name]
		next := command.Handler
		command.Handler = func(ctx context.Context, m *wire.OpMsg) (*wire.OpMsg, error) {
			without, err := withoutRoles(m)
			if err != nil {
				return nil, err
			}
			return next(ctx, without)
		}
	}
}

// countConnections makes serverStatus tell how many connections there are, which FerretDB does not.
func countConnections(h *handler.Handler) {
	command := h.Commands()["serverStatus"]
	next := command.Handler
	command.Handler = func(ctx context.Context, m *wire.OpMsg) (*wire.OpMsg, error) {
		answer, err := next(ctx, m)
		if err != nil {
			return nil, err
		}
		document, err := answer.RawSection0().Decode()
		if err != nil {
			return nil, err
		}
		current, err := connections()
		if err != nil {
			return nil, err
		}
		if err := document.Add("connections", wirebson.MustDocument("current", current)); err != nil {
			return nil, err
		}
		return wire.NewOpMsg(document)
	}
}

// connections counts the established ones to our port, as the kernel lists them.
func connections() (int32, error) {
	var n int32
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) { // there may be no IPv6
			return 0, err
		}
		for line := range strings.Lines(string(content)) {
			fields := strings.Fields(line)
			if len(fields) > 3 && strings.HasSuffix(fields[1], ":6989") && fields[3] == "01" { // 27017, ESTABLISHED
				n++
			}
		}
	}
	return n, nil
}

func withoutRoles(m *wire.OpMsg) (*wire.OpMsg, error) {
	document, err := m.RawSection0().Decode()
	if err != nil || document.Get("roles") == nil {
		return m, err
	}
	if err := document.Replace("roles", wirebson.MakeArray(0)); err != nil {
		return nil, err
	}
	return wire.NewOpMsg(document)
}
