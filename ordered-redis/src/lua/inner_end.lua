end)()
