// Command service is what tests run as the service of an add-on: it has a note in
// its volume.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const note = "/data/note"

func main() {
	switch verb := os.Args[1]; verb {
	case "serve": // until SIGTERM
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		text, _ := os.ReadFile(note) // none at first
		fmt.Printf("serving %q for %s\n", text, os.Getenv("OWNER"))
		<-term
	case "check":
		if _, err := os.Stat(note); err != nil {
			fmt.Println("there is no note")
			os.Exit(1)
		}
	case "write":
		if err := os.WriteFile(note, []byte(os.Args[2]), 0o600); err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
		fmt.Println("written")
	}
}
