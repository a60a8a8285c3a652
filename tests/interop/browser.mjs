// Headless Chromium, and checks that are counted, for the scripts that open pages.
import { execSync } from 'node:child_process'
import { chromium } from 'playwright-core'

const failures = []
let passed = 0

// Counts a check; one that does not hold is reported with what was seen.
export function check(holds, what, seen) {
  if (holds) passed += 1
  else failures.push(`${what}: ${JSON.stringify(seen)}`)
}

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? execSync('command -v chromium').toString().trim(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})

// Prints what failed, and ends the process: with 1 if something has.
export function finish(subject) {
  for (const failure of failures) console.log(`failed: ${failure}`)
  console.log(`${subject}: ${passed} passed, ${failures.length} failed`)
  process.exit(failures.length > 0 ? 1 : 0)
}

// Runs checks in a browser, and finishes.
export async function run(subject, checks) {
  const browser = await launch()
  try {
    await checks(browser)
  } catch (error) {
    check(false, 'the run ends', String(error))
  }
  await browser.close()
  finish(subject)
}
