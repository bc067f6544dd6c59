// The peers that are written in Go, for wg-benches: it starts this program as its child, asks for
// rounds line by line ("WHAT TIMES NUMBER") and reads two numbers for each: the nanoseconds of one
// task, and of the whole round. The standard library only, and its defaults: GOMAXPROCS and the
// garbage collector are as users have them. Tasks are goroutines of a sync.WaitGroup, started by
// its method Go.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"time"
)

// Does the work so many times and returns the nanoseconds of one task. The number is what the work
// depends on, mostly how many steps of xorshift a task does.
type work func(times int, number uint64) float64

var all = map[string]work{
	"token":     token,
	"idle":      idleWait,
	"release":   release,
	"T1":        spawned(1),
	"T2":        spawned(10),
	"T3":        spawned(1_000),
	"T4":        spawned(100_000),
	"T5":        spawned(1_000),
	"T6":        spawned(100_000),
	"T7":        limited,
	"loop":      loop,
	"semaphore": semaphore,
	"sleep":     sleepers,
	"workers":   workers,
}

func main() {
	fmt.Println(runtime.Version())
	requests := bufio.NewScanner(os.Stdin)
	for requests.Scan() {
		var what string
		var times int
		var number uint64
		if _, err := fmt.Sscan(requests.Text(), &what, &times, &number); err != nil {
			fmt.Fprintf(os.Stderr, "wg-go: %q: %v\n", requests.Text(), err)
			os.Exit(2)
		}
		work, known := all[what]
		if !known {
			fmt.Fprintf(os.Stderr, "wg-go: nobody knows %q\n", what)
			os.Exit(2)
		}
		if times > 1 {
			// What went to sleep while others had their rounds is awake again after this.
			work(1, number)
		}
		start := time.Now()
		figure := work(times, number)
		fmt.Println(figure, time.Since(start).Nanoseconds())
	}
}

// The nanoseconds of one of so many tasks.
func each(elapsed time.Duration, times, tasks int) float64 {
	return float64(elapsed.Nanoseconds()) / (float64(times) * float64(tasks))
}

// Steps of xorshift, as in benches/src/work.rs. A call of its own, so that the compiler can not
// leave out what nobody reads.
//
//go:noinline
func compute(seed, steps uint64) uint64 {
	word := seed | 1
	for ; steps > 0; steps-- {
		word ^= word << 13
		word ^= word >> 7
		word ^= word << 17
	}
	return word
}
