import sampling

sampling.main()
