// Checks of the relay drawer.

const assert = require("node:assert/strict");
const { noFaults, open, status, withServer } = require("./page.cjs");

const message = (page) => page.getByLabel("Message", { exact: true });

module.exports = {
  "a message is sent and comes back once, as text": (browser) => withServer(["--feed", "simulated"], async (address) => {
    const page = await open(browser, address), other = await open(browser, address);
    await status(page, "Live");
    await status(other, "Live");
    assert.equal(await page.getByRole("log").count(), 0);
    const hostile = "<img src=x onerror=alert(1)>";
    await page.getByRole("button", { name: "Relay" }).click();
    await message(page).fill(hostile);
    await page.getByText(`${hostile.length} / 4096`).waitFor();
    await message(page).press("Enter");
    await page.getByRole("log").getByText(hostile).waitFor();
    assert.equal(await page.getByRole("log").getByRole("listitem").count(), 1);
    assert.match(await page.getByRole("log").innerText(), /^you/);

    await other.locator(".badge", { hasText: "1" }).waitFor();
    await other.keyboard.press("r");
    await other.getByRole("log").getByText(hostile).waitFor();
    assert.equal(await other.locator(".badge").count(), 0);
    assert.doesNotMatch(await other.getByRole("log").innerText(), /^you/);
    assert.equal(await other.locator("img").count(), 0);
    await other.keyboard.press("Escape");
    noFaults(page, address);
    noFaults(other, address);
  }),

  "what the server says to a message is shown in the drawer": (browser) => withServer(["--feed", "simulated"], async (address) => {
    const page = await open(browser, address);
    await status(page, "Live");
    await page.keyboard.press("r");
    // Both messages go at once, however slow the browser is.
    await message(page).evaluate((field) => {
      for (const text of ["one", "two"]) {
        field.value = text;
        field.dispatchEvent(new Event("input"));
        field.form.requestSubmit();
      }
    });
    await page.locator(".drawer").getByRole("status").filter({ hasText: "at most 1 messages a second are relayed" }).waitFor();
    await message(page).fill("x".repeat(4097));
    assert.equal(await page.getByRole("button", { name: "Send" }).isDisabled(), true);
  }, { TICKERPLANT_RELAY__RATE: "1", TICKERPLANT_RELAY__BURST: "1" }),

  "a relay that is off closes the field": (browser) => withServer(["--feed", "simulated"], async (address) => {
    const page = await open(browser, address);
    await status(page, "Live");
    await page.keyboard.press("r");
    await page.locator(".drawer").getByText("This server relays no messages.").waitFor();
    assert.equal(await message(page).isDisabled(), true);
  }, { TICKERPLANT_RELAY__ENABLED: "false" }),
};
