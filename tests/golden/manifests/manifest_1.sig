{
  "schema_version": 1,
  "signatures": [
    {
      "algorithm": "ed25519",
      "key_id": "0b3e3fb7e58a7024",
      "signature": "xCl7lYix00aZ79Cy9ox/z0FD9i2XYQsZvTpQcDa8AhaH6QGeSS75fG6itvfu6g0KHHSHjnVjv+eVXMw97Pq7Cg=="
    }
  ]
}
