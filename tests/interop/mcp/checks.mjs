// Counted checks. The first one that does not hold ends the program.
import { isDeepStrictEqual } from 'node:util'

export class Checks {
  #what
  #passed = 0

  constructor(what) {
    this.#what = what
  }

  equal(seen, wanted, what) {
    if (isDeepStrictEqual(seen, wanted)) {
      this.#passed += 1
      return
    }
    console.log(`FAILED ${what}: wanted ${JSON.stringify(wanted)}, saw ${JSON.stringify(seen)}`)
    process.exit(1)
  }

  end() {
    console.log(`${this.#what}: ${this.#passed} passed, 0 failed`)
    process.exit(0)
  }
}
