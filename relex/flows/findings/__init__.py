"""What `relex doctor` looks at, a file for each thing that can be broken; it changes nothing."""
