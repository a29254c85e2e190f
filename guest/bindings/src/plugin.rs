//! What a plugin implements, and the shell that puts it behind the world's exports.

use crate::effects::LogEffect;
use crate::errors::Error;
use crate::log::Level;
use crate::provider::{Input, Setup};
use crate::types::Instant;
use std::cell::RefCell;

/// An effect that can be handed to the host.
pub trait Perform {
    /// Calls the import.
    fn perform(self);
}

/// A provider plugin: a state machine without input or output of its own.
pub trait Plugin: Sized {
    /// Everything this plugin can ask of the host. What it names is what the component imports.
    type Effect: Perform;

    /// Makes the plugin from its configuration.
    ///
    /// # Errors
    /// When the configuration cannot work; the instance is then discarded.
    fn configure(setup: Setup) -> Result<Self, Error>;

    /// Takes what has happened, in order, and appends what is to be done. `now` never goes back.
    fn handle(&mut self, now: Instant, inputs: Vec<Input>, effects: &mut Vec<Self::Effect>);
}

/// A plugin whose panics are told in the log: a trap says nothing by itself, and there is no standard error in a
/// component. For plugins that have [`LogEffect`] among their effects: a component with this imports `log`.
#[derive(Debug)]
pub struct Hooked<P>(P);

impl<P: Plugin> Plugin for Hooked<P> {
    type Effect = P::Effect;

    fn configure(setup: Setup) -> Result<Self, Error> {
        std::panic::set_hook(Box::new(|panic| {
            LogEffect(Level::Error, format!("the plugin panicked: {panic}")).perform();
        }));
        P::configure(setup).map(Self)
    }

    fn handle(&mut self, now: Instant, inputs: Vec<Input>, effects: &mut Vec<Self::Effect>) {
        self.0.handle(now, inputs, effects);
    }
}

/// The place of the one plugin of a component, between the exports and the state machine.
pub struct Shell<P: Plugin> {
    plugin: RefCell<Option<P>>,
    /// The list of effects, empty between calls. Kept because most calls have one effect, and a list of its own for each
    /// was 4 % of a call.
    effects: RefCell<Vec<P::Effect>>,
}

/// Effects a list keeps room for between calls; a burst's list is let go.
const KEPT_EFFECTS: usize = 8;

impl<P: Plugin> Shell<P> {
    /// A shell whose plugin is not configured yet.
    pub const fn new() -> Self {
        Self { plugin: RefCell::new(None), effects: RefCell::new(Vec::new()) }
    }

    /// Makes the plugin.
    ///
    /// # Errors
    /// When the plugin refuses its configuration.
    pub fn configure(&self, setup: Setup) -> Result<(), Error> {
        *self.plugin.borrow_mut() = Some(P::configure(setup)?);
        Ok(())
    }

    /// Hands inputs to the plugin and its effects to the host. Does nothing before `configure`.
    pub fn handle(&self, now: Instant, inputs: Vec<Input>) {
        let mut effects = self.effects.take();
        if let Some(plugin) = self.plugin.borrow_mut().as_mut() {
            plugin.handle(now, inputs, &mut effects);
        }
        effects.drain(..).for_each(Perform::perform);
        effects.shrink_to(KEPT_EFFECTS);
        self.effects.replace(effects);
    }
}

impl<P: Plugin> Default for Shell<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a type that implements [`Plugin`] the component's provider. Once per component; for wasm targets only.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        struct Component;

        std::thread_local! {
            static SHELL: $crate::__export::Shell<$plugin> = const { $crate::__export::Shell::new() };
        }

        impl $crate::provider::Guest for Component {
            fn configure(setup: $crate::provider::Setup) -> Result<(), $crate::errors::Error> {
                SHELL.with(|shell| shell.configure(setup))
            }

            fn handle(now: u64, inputs: Vec<$crate::provider::Input>) {
                SHELL.with(|shell| shell.handle(now, inputs))
            }
        }

        $crate::__export::export_world!(Component with_types_in $crate::__export);
    };
}
