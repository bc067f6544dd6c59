package main

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	items = 10_000
	limit = 100
)

var inputs = func() []uint64 {
	inputs := make([]uint64, items)
	for i := range inputs {
		inputs[i] = uint64(i)
	}
	return inputs
}()

// What is done with an item: with no steps, nothing that takes time, but a call in any case.
//
//go:noinline
func function(item, steps uint64) uint64 {
	if steps == 0 {
		return item
	}
	return compute(item, steps)
}

// T9, T10: as many goroutines as the limit is, which claim items one by one. Results go where they
// belong at once.
func loop(times int, steps uint64) float64 {
	start := time.Now()
	for range times {
		results := make([]uint64, items)
		var group sync.WaitGroup
		var next atomic.Int64
		for range limit {
			group.Go(func() {
				for i := next.Add(1) - 1; i < items; i = next.Add(1) - 1 {
					results[i] = function(inputs[i], steps)
				}
			})
		}
		group.Wait()
	}
	return each(time.Since(start), times, items)
}

// T9, T10: a goroutine for each item, and a channel that has room for as many as the limit is.
func semaphore(times int, steps uint64) float64 {
	start := time.Now()
	for range times {
		results := make([]uint64, items)
		room := make(chan struct{}, limit)
		var group sync.WaitGroup
		for i, item := range inputs {
			room <- struct{}{}
			group.Go(func() {
				results[i] = function(item, steps)
				<-room
			})
		}
		group.Wait()
	}
	return each(time.Since(start), times, items)
}

// T14: four workers between two channels with room for 1,024; one goroutine sends, this one
// receives.
func workers(times int, _ uint64) float64 {
	const jobs, workers, room = 1_000_000, 4, 1_024
	start := time.Now()
	for range times {
		inlet, outlet := make(chan uint64, room), make(chan uint64, room)
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for job := range inlet {
					outlet <- function(job, 0) + 1
				}
			})
		}
		go func() {
			for job := range uint64(jobs) {
				inlet <- job
			}
			close(inlet)
			group.Wait()
			close(outlet)
		}()
		sum := uint64(0)
		for result := range outlet {
			sum += result
		}
		if sum != jobs*(jobs+1)/2 {
			panic("a job was lost")
		}
	}
	return each(time.Since(start), times, jobs)
}
