module wg-benches

go 1.25
