// Uploads a file with tus-js-client as it comes: node upload.mjs FILE ENDPOINT FACT TOKEN PROOF
import { readFileSync } from 'node:fs'
import { Upload } from 'tus-js-client'

const [path, endpoint, fact, token, proof] = process.argv.slice(2)

const upload = new Upload(readFileSync(path), {
  endpoint,
  metadata: { fact, filename: 'photo.jpg' },
  headers: { Authorization: `DPoP ${token}`, DPoP: proof },
  retryDelays: Array(60).fill(250),
  onError(error) {
    console.error(String(error))
    process.exit(1)
  },
  onSuccess() {
    console.log(upload.url)
    process.exit(0)
  },
})
upload.start()
