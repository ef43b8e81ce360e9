// The app that the end-to-end tests push: a web app that can also misbehave in
// the ways that apps do. Its first argument says how:
//
//	serve       (the default) answers on $PORT, and on $LOOPBACK for itself
//	worker      prints a line now and then, serves nothing
//	exit N      ends at once with code N
//	await FILE  waits until there is such a file, then ends with code 0
//	touch FILE  makes one
//	print NAME  prints a variable
//	cat         prints its input
//	window      prints its terminal's columns and rows
//	silent      runs, and never listens
//	elsewhere   listens on port 9999 instead of $PORT
//	shaky MS    serves for so many milliseconds, then ends with code 5
//	stubborn    serves, and ignores SIGTERM
//	hold MB     holds so much memory, and serves
//	hoard MB    writes so much to its disk, then serves
//	eat         allocates memory until it is stopped from outside
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	verb, rest := "serve", []string{}
	if len(os.Args) > 1 {
		verb, rest = os.Args[1], os.Args[2:]
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, verb, rest); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, verb string, args []string) error {
	switch verb {
	case "serve":
		return serve(ctx, os.Getenv("PORT"))
	case "elsewhere":
		return serve(ctx, "9999")
	case "shaky":
		return shaky(ctx, args)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		return serve(context.Background(), os.Getenv("PORT"))
	case "worker":
		return work(ctx)
	case "silent":
		fmt.Println("I shall not listen")
		<-ctx.Done()
		return nil
	case "hold":
		return hold(ctx, args)
	case "eat":
		return eat(ctx)
	case "hoard":
		mb, err := strconv.Atoi(args[0])
		if err == nil {
			err = writeFile(mb)
		}
		return errors.Join(err, serve(ctx, os.Getenv("PORT")))
	case "exit":
		return exit(args)
	case "await":
		return await(ctx, args[0])
	case "count":
		return count(ctx, args)
	case "print":
		fmt.Println(os.Getenv(args[0]))
		return nil
	case "repeat":
		return repeat(args)
	case "cat":
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	case "window":
		size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
		if err != nil {
			return err
		}
		fmt.Println(size.Col, size.Row)
		return nil
	case "touch":
		return os.WriteFile(args[0], nil, 0o600)
	}
	return fmt.Errorf("no such verb: %s", verb)
}

// shaky is well at first.
func shaky(ctx context.Context, args []string) error {
	ms, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { os.Exit(5) })
	return serve(ctx, os.Getenv("PORT"))
}

// repeat prints one line: the first text, then the second so many times.
func repeat(args []string) error {
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	fmt.Println(args[0] + strings.Repeat(args[1], n))
	return nil
}

// exit ends with a code, at once or after so many seconds of work.
func exit(args []string) error {
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if len(args) > 1 {
		seconds, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
	fmt.Fprintln(os.Stderr, "ending with code", code)
	os.Exit(code)
	return nil
}

func await(ctx context.Context, file string) error {
	fmt.Println("awaiting", file, "as", os.Getenv("DYNO"), "with COLOUR", os.Getenv("COLOUR"))
	for ctx.Err() == nil {
		if _, err := os.Stat(file); err == nil {
			fmt.Println("found", file)
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return ctx.Err()
}

// count prints numbered lines, one a millisecond at most, and stays.
func count(ctx context.Context, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for i := 1; i <= n && ctx.Err() == nil; i++ {
		fmt.Println("line", i)
		time.Sleep(time.Millisecond)
	}
	<-ctx.Done()
	return nil
}

func work(ctx context.Context) error {
	for n := 1; ; n++ {
		fmt.Println("job", n, "done by", os.Getenv("DYNO"))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// eat takes 8 MiB every few milliseconds and writes to each page of it.
func eat(ctx context.Context) error {
	var held [][]byte
	for ctx.Err() == nil {
		b := make([]byte, 8<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Println("held", len(held)*8, "MiB")
	return nil
}

// hold serves with so many MB in its hands.
func hold(ctx context.Context, args []string) error {
	mb, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	held := make([]byte, mb<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	err = serve(ctx, os.Getenv("PORT"))
	fmt.Println("held", len(held)>>20, "MiB")
	return err
}

// serve answers until ctx ends, then finishes what is under way.
func serve(ctx context.Context, port string) error {
	if port == "" {
		port = "8080"
	}
	server := &http.Server{Addr: ":" + port, Handler: routes(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 2)
	go func() { ended <- server.ListenAndServe() }()
	fmt.Println("listening on", port)
	if private := os.Getenv("LOOPBACK"); private != "" {
		go func() { ended <- http.ListenAndServe("127.0.0.1:"+private, server.Handler) }()
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	fmt.Println("stopping")
	grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello from", version())
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, os.Getenv(r.FormValue("name")))
	})
	mux.HandleFunc("GET /dyno", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, os.Getenv("DYNO"), os.Getenv("HEROKU_RELEASE_VERSION"))
	})
	born := time.Now().UnixNano() // tells two processes of one dyno's name apart
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, _ *http.Request) {
		host, err := os.Hostname()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, host, os.Getpid(), born)
	})
	mux.HandleFunc("GET /headers", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "Host:", r.Host)
		_ = r.Header.Write(w) // the client is gone: nobody to tell
	})
	mux.HandleFunc("GET /cgroup", cgroup)
	mux.HandleFunc("GET /bytes", fill)
	var ill atomic.Bool // from the start with ILL in the environment
	ill.Store(os.Getenv("ILL") != "")
	mux.HandleFunc("GET /ill", func(http.ResponseWriter, *http.Request) { ill.Store(true) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			http.Error(w, "ill", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /slow", slow)
	mux.HandleFunc("GET /reach", reach)
	mux.HandleFunc("GET /write", write)
	mux.HandleFunc("GET /child", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "child ended:", exec.CommandContext(r.Context(), os.Args[0], "eat").Run())
	})
	mux.HandleFunc("GET /stream", stream)
	mux.HandleFunc("GET /ws", echo)
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body) // the client is gone: nobody to tell
	})
	mux.HandleFunc("GET /crash", func(_ http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.FormValue("code"))
		if err != nil {
			code = 1
		}
		fmt.Fprintln(os.Stderr, "crashing with code", code)
		os.Exit(code)
	})
	return mux
}

// version is what this image is told apart by.
func version() string {
	if v := os.Getenv("APP_VERSION"); v != "" {
		return v
	}
	return "an app without a version"
}

// cgroup tells the limits that really hold, under the names that they have in
// the second version of Linux' control groups; the first has others.
func cgroup(w http.ResponseWriter, _ *http.Request) {
	for _, limit := range [][]string{
		{"memory.max", "memory/memory.limit_in_bytes"},
		{"pids.max", "pids/pids.max"},
		{"cpu.max", "cpu/cpu.cfs_quota_us"},
	} {
		for _, name := range limit {
			if value, err := os.ReadFile("/sys/fs/cgroup/" + name); err == nil {
				fmt.Fprintf(w, "%s %s", limit[0], value)
				break
			}
		}
	}
}

// fill answers with ?n= bytes.
func fill(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil || n < 0 {
		http.Error(w, "n is no number of bytes", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	_, _ = w.Write(make([]byte, n)) // the client is gone: nobody to tell
}

// write writes ?mb= MB into a file, and answers.
func write(w http.ResponseWriter, r *http.Request) {
	mb, err := strconv.Atoi(r.FormValue("mb"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := writeFile(mb); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "wrote", mb, "MB")
}

func writeFile(mb int) error {
	f, err := os.Create("/written")
	if err != nil {
		return err
	}
	for range mb {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// reach asks ?addr= by HTTP as ?host=, and tells the first line of the answer.
func reach(w http.ResponseWriter, r *http.Request) {
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+r.FormValue("addr")+"/", nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ask.Host = r.FormValue("host")
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(ask)
	if err != nil {
		fmt.Fprintln(w, "not reached:", err)
		return
	}
	defer func() { _ = answer.Body.Close() }()               // only read
	line, _ := bufio.NewReader(answer.Body).ReadString('\n') // what there is of it
	fmt.Fprintln(w, "reached:", line)
}

// slow answers after ?ms= milliseconds.
func slow(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
	fmt.Fprintln(w, "slow answer from", version())
}

// stream sends ?n= lines (10 when not given), one every ?ms= milliseconds (100).
func stream(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil {
		n = 10
	}
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil {
		ms = 100
	}
	for i := range n {
		fmt.Fprintln(w, "line", i+1)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
}

// echo sends every WebSocket message back.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		if err := conn.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}
