// Command make makes the images of services for tests: those named, or all.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"renga/e2e/services"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	names := os.Args[1:]
	if len(names) == 0 {
		names = services.Names()
	}
	for _, name := range names {
		start := time.Now()
		tag, err := services.Build(ctx, name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "make:", err)
			os.Exit(1)
		}
		fmt.Printf("%-20s %6.1f s\n", tag, time.Since(start).Seconds())
	}
}
