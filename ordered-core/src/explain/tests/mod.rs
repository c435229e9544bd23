mod causal;
mod held_up;
mod moving;
mod orders;
mod scene;
mod words;
