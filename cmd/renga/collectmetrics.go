package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"renga/registry"
)

// collections are what collections of the registry did.
type collections struct{ collector *registry.Collector }

var (
	collectionsDone   = desc("registry_collections_total", "Collections of the registry by how they ended.", "result")
	collectedPieces   = desc("registry_collected_content_total", "Pieces of content that collections have removed.")
	collectedBytes    = desc("registry_collected_bytes_total", "Bytes that collections have freed.")
	collectionSeconds = desc("registry_collection_seconds_total", "Time that collections have taken.")
	lastCollection    = desc("registry_last_collection_timestamp_seconds", "When the last collection began.")
	lastSeconds       = desc("registry_last_collection_seconds", "How long the last collection took.")
	lastContent       = desc("registry_last_collection_content", "Pieces of content of the last collection: marked as needed, "+
		"removed, kept.", "what")
	lastBytes = desc("registry_last_collection_bytes", "Bytes that the last collection has freed.")
	lastPause = desc("registry_last_collection_longest_pause_seconds", "The longest time that one removal of the last "+
		"collection could have kept a request waiting, and that one did wait.", "of")
)

// Describe tells nothing: before the first collection there is no last one.
func (collections) Describe(chan<- *prometheus.Desc) {}

// Collect reads the collector's counts.
func (c collections) Collect(out chan<- prometheus.Metric) {
	tell := func(kind prometheus.ValueType) func(*prometheus.Desc, float64, ...string) {
		return func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
		}
	}
	count, gauge := tell(prometheus.CounterValue), tell(prometheus.GaugeValue)
	totals := c.collector.Totals()
	count(collectionsDone, float64(totals.Collections-totals.Failed), "done")
	count(collectionsDone, float64(totals.Failed), "failed")
	count(collectedPieces, float64(totals.Removed))
	count(collectedBytes, float64(totals.Bytes))
	count(collectionSeconds, totals.Took.Seconds())
	past := c.collector.Collections()
	if len(past) == 0 {
		return
	}
	last := past[0]
	gauge(lastCollection, float64(last.StartedAt.Unix()))
	gauge(lastSeconds, last.Took.Seconds())
	gauge(lastContent, float64(last.Marked), "marked")
	gauge(lastContent, float64(last.Removed), "removed")
	gauge(lastContent, float64(last.Kept), "kept")
	gauge(lastBytes, float64(last.Bytes))
	gauge(lastPause, last.LongestHold.Seconds(), "removal")
	gauge(lastPause, last.LongestWait.Seconds(), "request")
}
